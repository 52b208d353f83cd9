// A run of this command in its own process, measured from start to end, as users see it.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "cli.h"
#include "console.h"
#include "interrupt.h"

extern char **environ;

enum { WORDS = OPTION_COUNT + 16 };

typedef struct words {
    char *word[WORDS];
    size_t count;
    bool failed; // out of memory
} words;

static void add(words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(words *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    w->failed |= w->count + 1 >= WORDS || vasprintf(&w->word[w->count], format, arguments) < 0;
    va_end(arguments);
    w->count += !w->failed;
}

static void free_words(words *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->word[i]);
}

// Options that both verbs take and the command line gives. What the caller sets about the output comes before them.
static void add_options(words *w, const cli_arguments *args)
{
    for (size_t i = 0; cli_option_at(i); i++) {
        const option_row *row = cli_option_at(i);
        if (!(row->verbs & VERB_EXTRACT) || !(row->verbs & VERB_BENCH) || !cli_given(args, row->id))
            continue;
        if (row->id == OPTION_JSON || row->id == OPTION_MODEL)
            continue;
        if (row->kind == KIND_FLAG)
            add(w, "--%s", row->name);
        else
            add(w, "--%s=%s", row->name, args->value[row->id].text);
    }
}

static void keep_event(bench_child *child, const char *line)
{
    json_t *event = json_loads(line, 0, NULL), **to = NULL;
    const char *name = json_string_value(json_object_get(event, "event"));
    if (name)
        to = !strcmp(name, "start") ? &child->start : !strcmp(name, "end") ? &child->end : NULL;
    if (!to) {
        json_decref(event);
        return;
    }
    json_decref(*to);
    *to = event;
}

static void read_events(int from, bench_child *child)
{
    FILE *stream = fdopen(from, "r");
    char *line = NULL;
    size_t room = 0;
    while (stream && getline(&line, &room, stream) > 0)
        keep_event(child, line);
    free(line);
    if (stream)
        fclose(stream);
    else
        close(from);
}

// Starts it with stdout going into a pipe and stderr into `messages`.
static int start(words *w, int messages, int *from, pid_t *pid)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO);
    int code = posix_spawn(pid, "/proc/self/exe", &actions, NULL, w->word, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *from = ends[0];
    if (code)
        close(ends[0]);
    return code;
}

static void show_messages(FILE *messages)
{
    char *line = NULL;
    size_t room = 0;
    rewind(messages);
    while (getline(&line, &room, messages) > 0) {
        line[strcspn(line, "\n")] = '\0';
        cli_say(stderr, "%s", line);
    }
    free(line);
}

static int run(words *w, FILE *messages, bench_child *child)
{
    pid_t pid = 0;
    int from = -1, status = 0;
    struct rusage used = {0};
    double began = cli_now();
    int failed = start(w, fileno(messages), &from, &pid);
    if (failed)
        return cli_refuse(CLI_FATAL, "the command can't be started: %s", strerror(failed));
    read_events(from, child);
    while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
        continue;
    child->seconds = cli_now() - began;
    child->peak_bytes = (double)used.ru_maxrss * 1024;
    child->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (child->code == CLI_OK)
        return CLI_OK;
    show_messages(messages);
    return cli_interrupted() ? cli_interrupted() : child->code;
}

int bench_extract(const cli_arguments *args, const char *input, const char *model, const char *out, bench_child *child)
{
    words w = {0};
    FILE *messages = tmpfile();
    *child = (bench_child){0};
    add(&w, "tubelet");
    add(&w, "extract");
    add(&w, "%s", input);
    add(&w, "--model=%s", model ? model : args->value[OPTION_MODEL].text);
    add(&w, "--out=%s", out);
    add(&w, "--json");
    add_options(&w, args);
    int code = CLI_FATAL;
    if (w.failed || !messages)
        cli_refuse(CLI_FATAL, "out of memory, or no temporary file");
    else
        code = run(&w, messages, child);
    if (code == CLI_OK && (!child->start || !child->end))
        code = cli_refuse(CLI_FATAL, "the run told neither its start nor its end");
    free_words(&w);
    if (messages)
        fclose(messages);
    return code;
}

void bench_child_finish(bench_child *child)
{
    json_decref(child->start);
    json_decref(child->end);
    *child = (bench_child){0};
}
