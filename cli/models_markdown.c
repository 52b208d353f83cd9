// Writes docs/models.md from the library's tables.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "models_text.h"

static const char *const head[] = {
    "# Models",
    "",
    "<!-- Made by `tubelet models --markdown` (`make docs-models`): don't edit. A test compares the two. -->",
    "",
    "Point `--model` at what you have: a Hugging Face folder, a file of weights, `org/name` in the local Hugging",
    "Face cache, or an `.onnx` or `.xml` file. `tubelet info MODEL` says what it is, what it takes, what a row of",
    "it is, and what it costs. `tubelet init FAMILY[:SIZE] DIR` makes a random checkpoint of any size below, to",
    "try things without a download.",
    "",
    "## Families",
    "",
    "*Clip* models turn a clip into a row. *Frame* models turn each frame into a row; a clip's row is the mean",
    "over its frames, and each frame is computed once, however many clips contain it. The family is found by",
    "`model_type` in `config.json` or, if there is none, by the names of the tensors.",
    "",
    NULL,
};

static const char *const between[] = {
    "",
    "`--pool` chooses another row: `pooler` (the checkpoint's own head), `cls` (the class token), `mean` (of all",
    "tokens of the last hidden state), `patch-mean` (of its patch tokens), `projection` (CLIP's image embedding).",
    "`tubelet embed --tokens` writes the last hidden state itself. `--layer N` takes the hidden state after block",
    "N instead of the last one, without a norm. `--normalize` makes rows of length 1.",
    "",
    "In onevision and llavavit, tokens depend on where a clip's frames stand in time. `--frame-positions` sets",
    "it: `index` is 0, 1, 2, ... (as in the original script), `spread` is evenly over 0 to 63 (as in the model",
    "card), `video` is the frame's place in its video, 0 to 63 (as in OneVision's later scripts; each video is",
    "then decoded twice).",
    "",
    "Without a `preprocessor_config.json` (`video_preprocessor_config.json`, `processor_config.json`), the",
    "defaults of the preprocessor's class apply, and a warning says so once. *opentad* is the original extraction",
    "script's transform, used without a warning: a bilinear resize to the model's size without keeping the aspect",
    "ratio, then division by 255, without mean and std.",
    "",
    "## Sizes",
    "",
    "The first size of a family is the default of `init`. `tiny` is for tests; no published checkpoint has it.",
    "Parameters are those that features need: decoders, text towers and classifiers aren't counted. *Frames* are",
    "those of a clip, as the checkpoint expects them. *Pixels* are those of its `config.json` (`init` writes a",
    "preprocessor for at most 224, which is what videos are usually run at).",
    "",
    "| Family | Size | Parameters | Row | Hidden | Layers | Heads | MLP | Patch | Frames | Pixels |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
    NULL,
};

static const char *const tail[] = {
    "",
    "## Checkpoint files",
    "",
    "| What | How it is read |",
    "|---|---|",
    "| folder with `config.json` | `model.safetensors`, or `model.safetensors.index.json` and its shards; else "
    "`pytorch_model.bin` or its index; else "
    "the only `.pt` or `.pth` file |",
    "| `.safetensors`, `.pt`, `.pth` or `.bin` file | with the `config.json` and preprocessor files beside it, if "
    "there are any |",
    "| `org/name` | in the local Hugging Face cache (`HF_HUB_CACHE`, `HF_HOME`); nothing is downloaded |",
    "| `.onnx` file, `.xml` file (OpenVINO IR), folder with one of them | through OpenVINO: see "
    "[custom-models.md](custom-models.md) |",
    "",
    "Weights are float32, bfloat16 or float16. Files of `torch.save` (zip and legacy, protocols 2 and 4, nested",
    "and prefixed state dicts) are read by a reader that builds only tensors: any other global is refused by",
    "name. `tubelet convert MODEL DIR` writes any of these checkpoints as a Hugging Face folder. Tensors may have",
    "the names of transformers' files or those that transformers 5 has in memory",
    "(`torch.save(model.state_dict())`).",
    "",
    "A tensor that is missing, unexpected or of another shape is an error that names it (exit code 4), never a",
    "silent default.",
    NULL,
};

static void print_lines(const char *const *lines)
{
    for (; *lines; lines++)
        cli_say(stdout, "%s", *lines);
}

// "`clip`, `clip_vision_model`" from a comma-separated list.
static void quote_list(const char *list, char *out, size_t bytes)
{
    out[0] = 0;
    while (*list) {
        size_t length = strcspn(list, ","), used = strlen(out);
        snprintf(out + used, bytes - used, "%s`%.*s`", used ? ", " : "", (int)length, list);
        list += length + (list[length] == ',');
    }
}

static void print_family(const tub_family_info *f)
{
    char types[256];
    quote_list(f->model_types, types, sizeof types);
    cli_say(stdout, "| %s | %s | %s | %s | %s | %s |", f->name, f->per_frame ? "frame" : "clip", types, f->feature,
            f->processor ? f->processor : "opentad", f->layouts);
}

static void any_or(int number, char out[16])
{
    if (number)
        snprintf(out, 16, "%d", number);
    else
        snprintf(out, 16, "any");
}

static int print_sizes(size_t family, const tub_family_info *f)
{
    tub_size_info s;
    tub_error err;
    tub_status status;
    for (size_t i = 0; (status = tub_family_size_at(family, i, &s, &err)) == TUB_OK; i++) {
        char parameters[24], frames[16], pixels[16];
        any_or(s.frames, frames);
        any_or(s.image, pixels);
        cli_say(stdout, "| %s | %s | %s | %d | %d | %d | %d | %d | %d | %s | %s |", i ? "" : f->name, s.name,
                cli_millions(s.parameters, parameters), s.dim, s.hidden, s.layers, s.heads, s.mlp, s.patch, frames,
                pixels);
    }
    return status == TUB_END ? CLI_OK : cli_fail(&err);
}

int cli_models_markdown(void)
{
    tub_family_info f;
    print_lines(head);
    cli_say(stdout, "| Family | Kind | `model_type` | A row is (`--pool default`) | Preprocessor | Checkpoints |");
    cli_say(stdout, "|---|---|---|---|---|---|");
    for (size_t i = 0; tub_family_at(i, &f); i++)
        print_family(&f);
    print_lines(between);
    for (size_t i = 0; tub_family_at(i, &f); i++) {
        int code = print_sizes(i, &f);
        if (code != CLI_OK)
            return code;
    }
    print_lines(tail);
    return CLI_OK;
}
