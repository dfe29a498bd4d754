/* output.c : results as JSON, and progress on the terminal. */
#include "util.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JSON_STYLE = JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17) };

bool output_done(void) {
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return true;
    }
    fprintf(stderr, "hakmem: cannot write the output: %s\n", strerror(errno));
    return false;
}

void json_print(const json_t *value) {
    if (json_dumpf(value, stdout, JSON_STYLE) != 0 || putchar('\n') == EOF || !output_done()) {
        fail(STATUS_FAILED, "cannot write JSON to the output: %s", strerror(errno));
    }
}

static bool save_to(const json_t *value, const char *path) {
    FILE *f = fopen(path, "we");
    if (!f) {
        return false;
    }
    bool good = json_dumpf(value, f, JSON_STYLE) == 0 && fputc('\n', f) != EOF && fflush(f) == 0;
    /* EINVAL: a pipe or a device, where there is nothing to wait for. */
    good = good && (fsync(fileno(f)) == 0 || errno == EINVAL || errno == EROFS);
    int error = errno;
    good = fclose(f) == 0 && good;
    if (!good) {
        errno = error ? error : EIO;
    }
    return good;
}

bool json_save(const json_t *value, const char *path) {
    struct stat st;
    bool direct = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
    char *temporary = direct ? xstrdup(path) : xprintf("%s.%d.part", path, (int)getpid());
    bool good = save_to(value, temporary) && (direct || rename(temporary, path) == 0);
    if (!good) {
        int error = errno;
        if (!direct) {
            unlink(temporary);
        }
        warn("cannot write %s: %s; %s", path, strerror(error),
             error == ENOSPC || error == EDQUOT ? "make room or give another place with -o"
                                                : "give another place with -o");
    }
    free(temporary);
    return good;
}

json_t *json_read(const char *path) {
    json_error_t error;
    json_t *value = json_load_file(path, 0, &error);
    if (!value && error.line < 0) {
        fail(STATUS_FAILED, "cannot read %s: %s", path, strerror(errno));
    }
    if (!value) {
        fail(STATUS_FAILED, "%s: line %d: %s; it is not a file that this tool wrote", path, error.line, error.text);
    }
    return value;
}

const char *json_text(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "?";
}

double json_number(const json_t *object, const char *name) { return json_number_value(json_object_get(object, name)); }

void progress_begin(struct progress *p, const char *what) {
    *p = (struct progress){.what = what, .begun = now_seconds()};
    const char *terminal = getenv("TERM");
    p->visible = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

void progress_show(struct progress *p, double done, const char *detail) {
    double now = now_seconds(), spent = now - p->begun;
    if (!p->visible || spent < 0.5 || now - p->shown < 0.2) {
        return;
    }
    p->shown = now;
    if (done < 0.01) {
        fprintf(stderr, "\r\033[K%s: %s", p->what, detail ? detail : "");
    } else {
        double left = spent * (1 - done) / done;
        fprintf(stderr, "\r\033[K%s: %3.0f %%, %.0f s left  %s", p->what, done * 100, left < 0 ? 0 : left,
                detail ? detail : "");
    }
    fflush(stderr);
}

void progress_end(struct progress *p) {
    if (p->visible && p->shown > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
