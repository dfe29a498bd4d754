/* counters.c : instructions and branches, by the machine's counters where it has them, by callgrind where not. */
#include "sample.h"
#include "util.h"
#include <dirent.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    uint32_t type;
    uint64_t config;
    int fd;
} events[2] = {{PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, -1},
               {PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS, -1}};

void counters_choose(int which, uint32_t type, uint64_t config) {
    events[which].type = type;
    events[which].config = config;
}

/* Counts from the process's exec on, with all its children. */
static int event_open(uint32_t type, uint64_t config, pid_t pid) {
    struct perf_event_attr attr = {
        .type = type,
        .size = sizeof attr,
        .config = config,
        .disabled = 1,
        .inherit = 1,
        .enable_on_exec = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
    };
    return (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void events_close(void) {
    for (int i = 0; i < 2; i++) {
        if (events[i].fd >= 0) {
            close(events[i].fd);
        }
        events[i].fd = -1;
    }
}

bool counters_attach(pid_t pid) {
    events_close();
    for (int i = 0; i < 2; i++) {
        events[i].fd = event_open(events[i].type, events[i].config, pid);
    }
    return events[0].fd >= 0 && events[1].fd >= 0;
}

bool counters_available(void) {
    bool good = counters_attach(0);
    events_close();
    return good;
}

/* A counter that shared the hardware with others' is scaled up to the whole time. */
void counters_read(double *instructions, double *branches) {
    double *out[2] = {instructions, branches};
    for (int i = 0; i < 2; i++) {
        struct {
            uint64_t count, enabled, running;
        } now;
        if (events[i].fd >= 0 && read(events[i].fd, &now, sizeof now) == (ssize_t)sizeof now && now.running > 0) {
            *out[i] = (double)now.count * ((double)now.enabled / (double)now.running);
        }
    }
    events_close();
}

/* "events: Ir Bc Bcm Bi Bim" names the columns of "summary: 123 4 5 6 7"; branches are the conditional (Bc) and the indirect (Bi) ones. */
static bool totals_of(const char *path, double *instructions, double *branches) {
    char *text = read_file(path, NULL);
    char *names = text ? strstr(text, "\nevents:") : NULL, *sums = text ? strstr(text, "\nsummary:") : NULL;
    if (!sums && text) {
        sums = strstr(text, "\ntotals:");
    }
    if (!names || !sums) {
        free(text);
        return false;
    }
    names += strlen("\nevents:");
    sums = strchr(sums, ':') + 1;
    names[strcspn(names, "\n")] = 0;
    char *save;
    for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
        double v = strtod(sums, &sums);
        *instructions += strcmp(name, "Ir") == 0 ? v : 0;
        *branches += strcmp(name, "Bc") == 0 || strcmp(name, "Bi") == 0 ? v : 0;
    }
    free(text);
    return true;
}

bool callgrind_totals(const char *directory, double *instructions, double *branches) {
    *instructions = *branches = 0;
    DIR *d = opendir(directory);
    size_t files = 0;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *path = xprintf("%s/%s", directory, entry->d_name);
        files += totals_of(path, instructions, branches);
        unlink(path);
        free(path);
    }
    if (d) {
        closedir(d);
    }
    rmdir(directory);
    return files > 0 && *instructions > 0;
}
