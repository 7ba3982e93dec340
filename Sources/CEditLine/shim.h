// libedit, plus functions in place of those with variable arguments, which Swift cannot call.
#pragma once
#include <histedit.h>
#include <stdbool.h>
#include <stdio.h>

// An editor on standard input that draws to standard output; null without memory.
static inline EditLine *colony_edit_open(const char *program) { return el_init(program, stdin, stdout, stderr); }

static inline void colony_edit_set_prompt(EditLine *editor, char *(*prompt)(EditLine *)) {
    el_set(editor, EL_PROMPT, prompt);
}

// `read` gives one character at a time: 1, 0 at the end, -1 for a failure.
static inline void colony_edit_set_reader(EditLine *editor, int (*read)(EditLine *, wchar_t *)) {
    el_wset(editor, EL_GETCFN, read);
}

static inline void colony_edit_set_context(EditLine *editor, void *context) {
    el_set(editor, EL_CLIENTDATA, context);
}

static inline void *colony_edit_context(EditLine *editor) {
    void *context = NULL;
    el_get(editor, EL_CLIENTDATA, &context);
    return context;
}

// The keys of Emacs, which are those of most shells.
static inline void colony_edit_use_emacs_keys(EditLine *editor) { el_set(editor, EL_EDITOR, "emacs"); }

static inline void colony_edit_bind(EditLine *editor, const char *keys, const char *function) {
    el_set(editor, EL_BIND, keys, function, NULL);
}

static inline void colony_edit_add_function(
    EditLine *editor, const char *name, const char *help, unsigned char (*function)(EditLine *, int)
) {
    el_set(editor, EL_ADDFN, name, help, function);
}

// Puts the terminal into the state for editing (again), or back.
static inline void colony_edit_prepare_terminal(EditLine *editor, bool edits) {
    el_set(editor, EL_PREP_TERM, edits ? 1 : 0);
}

static inline void colony_edit_refresh(EditLine *editor) { el_set(editor, EL_REFRESH); }

static inline void colony_edit_use_history(EditLine *editor, History *lines) {
    el_set(editor, EL_HIST, history, lines);
}

static inline void colony_history_prepare(History *lines, int size) {
    HistEvent event;
    history(lines, &event, H_SETSIZE, size);
    history(lines, &event, H_SETUNIQUE, 1);
}

static inline void colony_history_add(History *lines, const char *line) {
    HistEvent event;
    history(lines, &event, H_ENTER, line);
}

static inline bool colony_history_load(History *lines, const char *path) {
    HistEvent event;
    return history(lines, &event, H_LOAD, path) >= 0;
}

static inline bool colony_history_save(History *lines, const char *path) {
    HistEvent event;
    return history(lines, &event, H_SAVE, path) >= 0;
}
