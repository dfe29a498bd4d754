/* proof.c : reads the probe's records, and holds them against what was asked for. */
#include "proof.h"
#include "locate.h"
#include "util.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int proof_open(char *path, size_t size) {
    int fd = memfd_create("hakmem-proof", MFD_CLOEXEC);
    if (fd < 0) {
        fail(STATUS_FAILED, "cannot make a file in memory for the probe: %s", strerror(errno));
    }
    snprintf(path, size, "/proc/%d/fd/%d", (int)getpid(), fd);
    return fd;
}

json_t *proof_take(int fd) {
    json_t *records = json_array();
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size == 0) {
        return records;
    }
    char *text = xmalloc((size_t)st.st_size + 1);
    ssize_t n = pread(fd, text, (size_t)st.st_size, 0);
    text[n > 0 ? n : 0] = 0;
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        json_t *record = json_loads(line, 0, NULL);
        if (record) {
            json_array_append_new(records, record);
        }
    }
    free(text);
    if (ftruncate(fd, 0) != 0) {
        fail(STATUS_FAILED, "cannot empty the probe's file: %s", strerror(errno));
    }
    return records;
}

const char *proof_text(const json_t *record, const char *field) {
    const char *text = json_string_value(json_object_get(record, field));
    return text ? text : "";
}

const json_t *proof_of(const json_t *records, pid_t pid, const char *event) {
    for (size_t i = json_array_size(records); i-- > 0;) {
        const json_t *r = json_array_get(records, i);
        if (json_integer_value(json_object_get(r, "pid")) == pid && strcmp(proof_text(r, "event"), event) == 0) {
            return r;
        }
    }
    return NULL;
}

double proof_inside(const json_t *records, pid_t pid) {
    const json_t *wall = json_object_get(proof_of(records, pid, "exit"), "wall");
    return wall ? json_number_value(wall) : (double)NAN;
}

double proof_peak_rss(const json_t *records) {
    double most = 0;
    for (size_t i = 0; i < json_array_size(records); i++) {
        double rss = json_number_value(json_object_get(json_array_get(records, i), "peak_rss"));
        most = rss > most ? rss : most;
    }
    return most;
}

static bool same_file(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_libc(const char *object) {
    const char *slash = strrchr(object, '/'), *base = slash ? slash + 1 : object;
    return strncmp(base, "libc.so", 7) == 0 || strncmp(base, "libc-2", 6) == 0 || strncmp(base, "ld-linux", 8) == 0;
}

/* Does the object serve for the library that was asked for ("" is libc)? A program that holds an allocator of its own does not. */
static bool serves(const char *object, const char *library) {
    return *library ? same_file(object, library) : is_libc(object);
}

static char *record_problem(const json_t *record, const char *library, const struct settings *settings) {
    const char *exe = proof_text(record, "exe");
    const char *const calls[] = {"malloc", "free"};
    for (size_t i = 0; i < 2; i++) {
        const char *object = proof_text(record, calls[i]);
        if (!serves(object, library)) {
            return xprintf("%s: %s is served by %s, not by %s", exe, calls[i], *object ? object : "an unknown object",
                           *library ? library : "libc");
        }
    }
    const json_t *options = json_object_get(record, "options");
    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *s = &settings->item[i];
        const char *value = json_string_value(json_object_get(options, s->name));
        if (!s->row || (value && strcmp(value, s->value) == 0)) {
            continue;
        }
        if (!value) {
            return xprintf("%s: %s has no option %s, so %s=%s cannot be in force", exe, *library ? library : "libc",
                           s->name, s->name, s->value);
        }
        return xprintf("%s: option %s was %s at the process's %s, although %s was asked for", exe, s->name, value,
                       strcmp(proof_text(record, "event"), "start") == 0 ? "start" : "end", s->value);
    }
    return NULL;
}

/* What the process found by allocating, against what its options and symbols say. */
static char *conduct_problem(const json_t *record, const char *library, const struct settings *settings) {
    const json_t *serves = json_object_get(record, "libc_serves");
    const struct setting *forced = settings_find(settings, "force_libc");
    const char *in_force = json_string_value(json_object_get(json_object_get(record, "options"), "force_libc"));
    bool libc = !*library || (forced ? strcmp(forced->value, "1") == 0 : in_force && strcmp(in_force, "1") == 0);
    /* A library without that option may be a wrapper that passes its calls on to libc. */
    if (!serves || json_is_true(serves) == libc || (*library && !in_force)) {
        return NULL;
    }
    return xprintf(
        "%s: in fact %s served its last malloc, although %s was asked for and reported: the switch came too late",
        proof_text(record, "exe"), libc ? "another allocator" : "libc", libc ? "libc" : library);
}

void proof_last_name(pid_t pid, char name[16]) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    char *text = read_file(path, NULL);
    snprintf(name, 16, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
    free(text);
}

/* A process whose last word is its start, and which ended under another name, became a program that told nothing. (Under its own name it left without
 * exit(), as Go's programs do.) */
static char *replaced_problem(const json_t *records, pid_t main, const char *name) {
    const json_t *last = NULL;
    for (size_t i = json_array_size(records); i-- > 0 && !last;) {
        const json_t *r = json_array_get(records, i);
        last = json_integer_value(json_object_get(r, "pid")) == main ? r : NULL;
    }
    if (!*name || strcmp(proof_text(last, "event"), "start") != 0 || strcmp(proof_text(last, "name"), name) == 0) {
        return NULL;
    }
    return xprintf(
        "%s became %s, which did not load what was preloaded (it is static or setuid, or LD_PRELOAD was cleared)",
        proof_text(last, "exe"), name);
}

char *proof_problem(const json_t *records, pid_t main, const char *name, const char *library,
                    const struct settings *settings) {
    if (!proof_of(records, main, "start")) {
        return xstrdup(
            "the program did not load what was preloaded (static, setuid, its own loader, or it clears LD_PRELOAD)");
    }
    char *replaced = replaced_problem(records, main, name);
    if (replaced) {
        return replaced;
    }
    for (size_t i = 0; i < json_array_size(records); i++) {
        char *problem = record_problem(json_array_get(records, i), library, settings);
        problem = problem ? problem : conduct_problem(json_array_get(records, i), library, settings);
        if (problem) {
            return problem;
        }
    }
    return NULL;
}
