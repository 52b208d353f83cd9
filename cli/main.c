// tubelet: the command.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "console.h"
#include "settings_layers.h"
#include "translate.h"

static const cli_verb verbs[] = {
    {"extract", VERB_EXTRACT, "INPUT... --model DIR --out DIR",
     "videos into features: OUT/<stem>.npy, float32 [T, C], for each; run it again to resume",
     "INPUT: video files, folders of them, or @list.txt with one path a line.", 1, -1, cli_extract},
    {"embed", VERB_EMBED, "--model DIR --frames IN.npy --out FILE.npy", "frames in memory into features", NULL, 0, 0,
     cli_embed},
    {"frames", VERB_FRAMES, "VIDEO --out FILE.npy",
     "a video's frames, decoded, in display order, upright; untransformed by default", NULL, 1, 1, cli_frames},
    {"probe", VERB_PROBE, "VIDEO...", "what is in video files, and how many frames they decode to", NULL, 1, -1,
     cli_probe},
    {"init", VERB_INIT, "FAMILY[:SIZE] DIR", "a random checkpoint in Hugging Face layout (see tubelet models)", NULL, 2,
     2, cli_init},
    {"convert", VERB_CONVERT, "MODEL DIR",
     "a checkpoint of any layout into a folder of config.json and model.safetensors",
     "MODEL: a folder, a .pt, .pth, .bin or .safetensors file, or org/name in the Hugging Face cache.", 2, 2,
     cli_convert},
    {"bench", VERB_BENCH, "--case NAME", "time one part; the last line on stdout is the result", NULL, 0, 0, cli_bench},
    {"models", VERB_MODELS, "", "the model families that are known, their sizes and checkpoints", NULL, 0, 0,
     cli_models},
    {"info", VERB_INFO, "MODEL", "what a model is: sizes, input, feature, preprocessing, cost, memory",
     "MODEL: a checkpoint folder or file, org/name in the Hugging Face cache, or a .onnx or .xml file.", 1, 1,
     cli_info},
    {"plan", VERB_PLAN, "INPUT... --model DIR --out DIR",
     "what extract would do with the same options, how long it would take, and what bounds it; writes nothing",
     "INPUT: as for extract.", 1, -1, cli_extract},
    {"tune", VERB_TUNE, "[INPUT...] --model DIR",
     "the fastest settings for a model here, measured and kept for extract",
     "INPUT: videos as for extract, extracted for measuring; without any, only forwards are timed.", 0, -1, cli_tune},
    {"doctor", VERB_DOCTOR, "", "what this machine has, what of it is used, and why", NULL, 0, 0, cli_doctor},
    {"report", VERB_REPORT, "RUN [RUN] --out FILE.html", "recorded runs as a page; of two, before and after",
     "RUN: what extract --report wrote, .html or .json.", 1, 2, cli_show_report},
    {"completion", VERB_COMPLETION, "SHELL", "the completion script of bash, zsh or fish", NULL, 1, 1, cli_completion},
    {"man", VERB_MAN, "", "the manual page, for man -l -", NULL, 0, 0, cli_man},
    {"presets", VERB_PRESETS, "", "data sets' settings for --preset, and where their numbers come from", NULL, 0, 0,
     cli_presets},
    {"verify", VERB_VERIFY, "OUT", "a folder of features, checked file by file; writes its missing_files.txt",
     "Exit code 3 where something was found.", 1, 1, cli_verify},
    {"compare", VERB_COMPARE, "A B", "two folders of features, row by row: how alike, and whether one is shifted",
     "Exit code 3 where B is shifted, or videos are missing or not comparable.", 2, 2, cli_compare},
    {"resample", VERB_RESAMPLE, "IN OUT",
     "features of a folder with a larger stride, or of a fixed length, into another",
     "Also into other names and kinds of files. Exit code 3 where a file could not be used.", 2, 2, cli_resample},
    {"consumer-config", VERB_CONSUMER_CONFIG, "opentad|actionformer OUT",
     "the block of a trainer's configuration for a folder of features", NULL, 2, 2, cli_consumer_config},
};

const cli_verb *cli_verb_at(size_t i)
{
    return i < sizeof verbs / sizeof *verbs ? &verbs[i] : NULL;
}

const cli_verb *cli_verb_find(const char *name)
{
    for (size_t i = 0; cli_verb_at(i); i++)
        if (!strcmp(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

const char *cli_verb_nearest(const char *name)
{
    const char *names[sizeof verbs / sizeof *verbs];
    size_t count = 0;
    for (; cli_verb_at(count); count++)
        names[count] = verbs[count].name;
    return cli_nearest(name, names, count);
}

static int unknown_verb(const char *name)
{
    const char *near = cli_verb_nearest(name);
    if (near)
        return cli_refuse(CLI_USAGE, "unknown verb %s: did you mean %s?", name, near);
    return cli_refuse(CLI_USAGE, "unknown verb %s; tubelet --help lists the verbs", name);
}

static int start_verb(const cli_arguments *args)
{
    if (!strcmp(cli_text(args, OPTION_LOG_FORMAT, "text"), "json"))
        cli_lines_as_json();
    cli_warn_of_variables();
    if (!cli_given(args, OPTION_PRINT_CONFIG))
        return args->verb->run(args);
    cli_print_config(args);
    return CLI_OK;
}

static int run_verb(const cli_verb *verb, int argc, char **argv)
{
    cli_arguments args;
    int code = cli_parse(verb, argc, argv, &args);
    if (code == CLI_OK && cli_given(&args, OPTION_HELP))
        cli_print_help(verb);
    else if (code == CLI_OK)
        code = start_verb(&args);
    cli_arguments_finish(&args);
    return code;
}

static int run(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (!strcmp(word, "--version")) {
        printf("tubelet %s\n", tub_version());
        return CLI_OK;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || (!strcmp(word, "help") && argc == 2)) {
        cli_print_overview();
        return CLI_OK;
    }
    bool help = !strcmp(word, "help");
    if (argc < 2)
        return cli_refuse(CLI_USAGE, "no verb given; tubelet --help lists them");
    const cli_verb *verb = cli_verb_find(help ? argv[2] : word);
    if (!verb)
        return unknown_verb(help ? argv[2] : word);
    if (!help)
        return run_verb(verb, argc, argv);
    cli_print_help(verb);
    return CLI_OK;
}

// If one of the three is closed, the next file that is opened gets its number: a video's features, for example, and
// lines would be written into them. /dev/null is opened read-only, so writes still fail, as they do on a closed file,
// and a lost line is reported.
static void fill_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    fill_standard_files();
    cli_translate_start();
    tub_video_silence_decoders(); // we report damage in our own words
    // A reader that goes away must not end a run: what counts is in files.
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // at a file size limit, the write fails and is reported
    return cli_finish_output(run(argc, argv));
}
