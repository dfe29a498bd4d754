/* util.c : errors, suggestions, numbers and files for every verb. */
#include "util.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *util_verb;

PRINTF(1, 0)
static void say(const char *format, va_list args) {
    fflush(stdout);
    fprintf(stderr, "hakmem%s%s: ", util_verb ? " " : "", util_verb ? util_verb : "");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void fail(int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    exit(status);
}

void warn(const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

static void *checked(void *block) {
    if (!block) {
        fail(STATUS_FAILED, "out of memory");
    }
    return block;
}

void *xmalloc(size_t size) { return checked(calloc(1, size ? size : 1)); }

void *xrealloc(void *block, size_t size) { return checked(realloc(block, size ? size : 1)); }

char *xstrdup(const char *text) { return checked(strdup(text)); }

char *xprintf(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
    }
    va_end(args);
    return checked(text);
}

/* Edit distance where a swap of neighbours costs one, as typing errors do (optimal string alignment). */
size_t edit_distance(const char *a, const char *b) {
    enum { LONGEST = 63 };
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST) {
        return SIZE_MAX;
    }
    size_t d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best) {
                best = d[i - 2][j - 2] + 1;
            }
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *nearest(const char *text, const char *const *words, size_t n) {
    const char *found = NULL;
    size_t best = strlen(text) / 3 + 2;
    for (size_t i = 0; i < n; i++) {
        size_t d = edit_distance(text, words[i]);
        if (d < best && d < strlen(words[i])) {
            best = d;
            found = words[i];
        }
    }
    return found;
}

double number_arg(const char *option, const char *text, double min, double max) {
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(v)) {
        fail(STATUS_USAGE, "%s: \"%s\" is not a number; give one from %g to %g", option, text, min, max);
    }
    if (v < min || v > max) {
        fail(STATUS_USAGE, "%s: %s is out of range; give a number from %g to %g", option, text, min, max);
    }
    return v;
}

uint64_t integer_arg(const char *option, const char *text, uint64_t min, uint64_t max) {
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (end == text || *end || *text == '-') {
        fail(STATUS_USAGE, "%s: \"%s\" is not a whole number; give one from %llu to %llu", option, text,
             (unsigned long long)min, (unsigned long long)max);
    }
    if (errno || v < min || v > max) {
        fail(STATUS_USAGE, "%s: %s is out of range; give a number from %llu to %llu", option, text,
             (unsigned long long)min, (unsigned long long)max);
    }
    return v;
}

uint64_t size_arg(const char *option, const char *text) {
    static const char suffixes[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    const char *s = *end ? strchr(suffixes, *end >= 'a' ? *end - 32 : *end) : NULL;
    unsigned shift = s ? 10 * (unsigned)(s - suffixes + 1) : 0;
    if (end == text || *text == '-' || errno || (*end && (!s || end[1])) || v > UINT64_MAX >> shift) {
        fail(STATUS_USAGE, "%s: \"%s\" is not a size; give bytes, or a number with K, M, G or T, as 64M", option, text);
    }
    return (uint64_t)v << shift;
}

double seconds_arg(const char *option, const char *text) {
    static const struct {
        const char *suffix;
        double factor;
    } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
    char *end;
    double v = strtod(text, &end);
    for (size_t i = 0; end != text && v >= 0 && isfinite(v) && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].suffix) == 0) {
            return v * units[i].factor;
        }
    }
    fail(STATUS_USAGE, "%s: \"%s\" is not a time; give seconds, or a number with ms, s, m or h, as 90s", option, text);
}

static char *text_slot(void) {
    static char slots[16][48];
    static unsigned next;
    return slots[next++ % 16];
}

const char *bytes_text(double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t u = 0;
    for (; fabs(bytes) >= 1024 && u < 4; u++) {
        bytes /= 1024;
    }
    char *text = text_slot();
    snprintf(text, 48, u && fabs(bytes) < 100 ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return text;
}

const char *seconds_text(double seconds) {
    char *text = text_slot();
    double s = fabs(seconds);
    if (s >= 120) {
        snprintf(text, 48, "%d min %d s", (int)(seconds / 60), (int)fmod(seconds, 60));
    } else if (s >= 1) {
        snprintf(text, 48, "%.2f s", seconds);
    } else if (s >= 1e-3) {
        snprintf(text, 48, "%.2f ms", seconds * 1e3);
    } else {
        snprintf(text, 48, "%.1f us", seconds * 1e6);
    }
    return text;
}

const char *count_text(double count) {
    static const char *const units[] = {"", " k", " M", " G", " T"};
    size_t u = 0;
    for (; fabs(count) >= 10000 && u < 4; u++) {
        count /= 1000;
    }
    char *text = text_slot();
    snprintf(text, 48, u || count != floor(count) ? "%.2f%s" : "%.0f%s", count, units[u]);
    return text;
}

char *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "re");
    if (!f) {
        return NULL;
    }
    size_t n = 0, room = 4096;
    char *text = xmalloc(room);
    size_t got;
    while ((got = fread(text + n, 1, room - n - 1, f)) > 0) {
        n += got;
        if (n + 1 == room) {
            room *= 2;
            text = xrealloc(text, room);
        }
    }
    int error = ferror(f) ? errno : 0;
    fclose(f);
    if (error) {
        free(text);
        errno = error;
        return NULL;
    }
    text[n] = 0;
    if (size) {
        *size = n;
    }
    return text;
}

const char *tool_directory(void) {
    static char path[PATH_MAX];
    if (!path[0]) {
        ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
        path[n > 0 ? n : 0] = 0;
        char *slash = strrchr(path, '/');
        if (slash) {
            *slash = 0;
        }
    }
    return path;
}

double now_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static volatile sig_atomic_t interrupt_seen;

static void interrupt_handler(int number) {
    if (interrupt_seen) {
        _exit(STATUS_SIGNAL + number);
    }
    interrupt_seen = 1;
}

void interrupt_catch(void) {
    struct sigaction action = {.sa_handler = interrupt_handler};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* not under nohup */
        sigaction(SIGHUP, &action, NULL);
    }
}

bool interrupted(void) { return interrupt_seen != 0; }

static int parse_flags(const struct argp *argp, int argc, char **argv, unsigned flags, void *input) {
    int rest = argc;
    argp_err_exit_status = STATUS_USAGE;
    error_t error = argp_parse(argp, argc, argv, flags, &rest, input);
    if (error) {
        fail(STATUS_USAGE, "%s", strerror(error));
    }
    return rest;
}

int parse_args(const struct argp *argp, int argc, char **argv, void *input) {
    return parse_flags(argp, argc, argv, ARGP_IN_ORDER, input);
}

int parse_mixed(const struct argp *argp, int argc, char **argv, void *input) {
    return parse_flags(argp, argc, argv, 0, input);
}

error_t parse_kept(int key, char *text, struct argp_state *state) {
    for (const struct kept *k = state->input; k->key; k++) {
        if (k->key == key) {
            if (k->flag) {
                *k->flag = true;
            }
            if (k->text) {
                *k->text = text;
            }
            return 0;
        }
    }
    return ARGP_ERR_UNKNOWN;
}
