/* machine.c : what a reader of figures must know of the machine they come from. */
#include "ab.h"
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The first line of a file, or "unknown". The caller frees. */
static char *first_line(const char *path) {
    char *text = read_file(path, NULL);
    if (!text) {
        return xstrdup("unknown");
    }
    text[strcspn(text, "\n")] = 0;
    return text;
}

/* "[always] madvise never" names its choice in brackets. */
static json_t *chosen(const char *path) {
    char *text = first_line(path), *open = strchr(text, '[');
    char *word = open ? open + 1 : text;
    word[strcspn(word, "]")] = 0;
    json_t *out = json_string(word);
    free(text);
    return out;
}

/* A field of /proc/cpuinfo. */
static json_t *processor(void) {
    char *text = read_file("/proc/cpuinfo", NULL);
    char *field = text ? strstr(text, "model name") : NULL;
    char *value = field ? strchr(field, ':') : NULL;
    if (!value) {
        free(text);
        return json_string("unknown");
    }
    value += strspn(value, ": \t");
    value[strcspn(value, "\n")] = 0;
    json_t *out = json_string(value);
    free(text);
    return out;
}

static json_t *load_now(void) {
    double load[3] = {0};
    getloadavg(load, 3);
    return json_pack("[f, f, f]", load[0], load[1], load[2]);
}

json_t *machine_facts(void) {
    struct utsname u;
    struct sysinfo s = {0};
    char date[40];
    time_t now = time(NULL);
    uname(&u);
    sysinfo(&s);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S%z", localtime(&now));
    char *overcommit = first_line("/proc/sys/vm/overcommit_memory");
    char *governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:i, s:s, s:s, s:s}", "date", date, "system", u.sysname,
                            "kernel", u.release, "architecture", u.machine, "processors", get_nprocs(), "memory",
                            (json_int_t)((uint64_t)s.totalram * s.mem_unit), "page_size", getpagesize(), "libc",
                            gnu_get_libc_version(), "overcommit", overcommit, "governor", governor);
    json_object_set_new(out, "processor", processor());
    json_object_set_new(out, "thp", chosen("/sys/kernel/mm/transparent_hugepage/enabled"));
    json_object_set_new(out, "thp_defrag", chosen("/sys/kernel/mm/transparent_hugepage/defrag"));
    json_object_set_new(out, "load", load_now());
    free(overcommit);
    free(governor);
    return out;
}

json_t *library_facts(const char *path) {
    size_t size = 0;
    char *bytes = *path ? read_file(path, &size) : NULL;
    struct stat st;
    if (!bytes || stat(path, &st) != 0) {
        free(bytes);
        return json_pack("{s:s, s:s}", "path", "", "version", gnu_get_libc_version());
    }
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bit */
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    }
    free(bytes);
    char sum[20];
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)hash);
    return json_pack("{s:s, s:I, s:I, s:s}", "path", path, "size", (json_int_t)size, "modified",
                     (json_int_t)st.st_mtime, "fnv1a", sum);
}
