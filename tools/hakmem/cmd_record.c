/* cmd_record.c : `hakmem record`: runs a program with the recorder above its allocator and collects what it writes.
 * Threads    one; the programs' threads write to shared slots, this loop takes them away (trace_collect.c) */
#include "trace_collect.h"
#include "util.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ab.h"
#include "trace_libs.h"

struct record_options {
    const char *out, *lib, *scratch;
    bool json;
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write the recording to FILE (needed)", 0},
    {"lib", 'l', "NAME", 0,
     "Run CMD under this allocator: a name (libc, hakmem, mimalloc, jemalloc, tcmalloc) or a library's path", 0},
    {"scratch", 's', "DIR", 0, "Keep events that are not yet compressed in DIR (default: /dev/shm, then $TMPDIR, /tmp)",
     0},
    {"json", 'j', NULL, 0, "Print what was recorded as JSON", 0},
    {0}};

static error_t record_option(int key, char *arg, struct argp_state *state) {
    struct record_options *o = state->input;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case 'l':
        o->lib = arg;
        return 0;
    case 's':
        o->scratch = arg;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp record_argp = {
    .options = options,
    .parser = record_option,
    .args_doc = "-o FILE [--] CMD...",
    .doc = "Record every allocation of CMD and of the processes that it starts: "
           "thread, order, size, alignment, address, reallocation, "
           "pages touched. `hakmem replay` runs the recording against other "
           "allocators, `hakmem trace` summarises it. Nothing is lost "
           "when a process forks, execs, exits or crashes. Exits with CMD's status. "
           "A call costs CMD some 2 to 3 ns more, and as much or twice that in this process beside it: python3 with "
           "malloc, lua or perl take up to 1.06 times their CPU time, up to 1.3 times with ours; a loop of nothing but "
           "malloc and free 1.4 to 1.7 times, 1.9 in its first milliseconds. The clock is read once for up to some "
           "hundred calls that come close together; times between are estimated, the order is not."
           "\vExample:\n  hakmem record -o py.hkt -- python3 script.py\n  hakmem "
           "trace py.hkt\n  hakmem replay py.hkt --lib libc,mimalloc"};

struct clock_pair {
    uint64_t stamp;
    double seconds;
};

static struct clock_pair clock_now(void) { return (struct clock_pair){wire_stamp(), now_seconds()}; }

/* The folder for unpacked events: memory-backed and roomy where possible. */
static char *scratch_make(const char *wanted, uint64_t *room) {
    const char *tmp = getenv("TMPDIR"), *choice[] = {wanted, "/dev/shm", tmp, "/tmp"};
    for (size_t i = 0; i < 4; i++) {
        struct statvfs fs;
        if (!choice[i] || statvfs(choice[i], &fs) != 0 ||
            (!wanted && (uint64_t)fs.f_bavail * fs.f_frsize < 256u << 20)) {
            if (wanted)
                fail(STATUS_USAGE, "--scratch %s: %s; give a folder that exists", wanted, strerror(errno));
            continue;
        }
        char *dir = xprintf("%s/hakmem-record-XXXXXX", choice[i]);
        if (mkdtemp(dir)) {
            if (geteuid() == 0) /* a program that gives up being root still makes its files here */
                chmod(dir, 01733);
            *room = (uint64_t)fs.f_bavail * fs.f_frsize;
            return dir;
        }
        if (wanted)
            fail(STATUS_USAGE, "--scratch %s: %s", wanted, strerror(errno));
        free(dir);
    }
    fail(STATUS_FAILED,
         "no folder with 256 MiB free for the events of the running program; give one with --scratch DIR");
}

_Noreturn static void child_run(char **command, const char *lib, const char *dir, uint64_t room) {
    char slots[24], *preload = libs_preload("libhakmem-record.so", lib);
    uint64_t n = room / 4 / WIRE_SLOT_BYTES;
    n = n < WIRE_SLOTS_MIN ? WIRE_SLOTS_MIN : n > WIRE_SLOTS_MAX ? WIRE_SLOTS_MAX : n;
    snprintf(slots, sizeof slots, "%u", (unsigned)n);
    setenv("LD_PRELOAD", preload, 1);
    setenv(WIRE_ENV_DIR, dir, 1);
    setenv(WIRE_ENV_SLOTS, slots, 0); /* a test asks for few */
    if (wire_by_clock)
        setenv(WIRE_ENV_CLOCK, "1", 1);
    execvp(command[0], command);
    int error = errno;
    fprintf(stderr, "hakmem record: %s: %s\n", command[0], strerror(error));
    _exit(error == ENOENT ? STATUS_NO_FILE : STATUS_NO_EXEC);
}

/* Lets everything run to its end. Orphans come to us (subreaper), so that daemons are followed too. */
static int record_follow(struct collector *c, pid_t child) {
    int status = 0;
    bool child_over = false, told = false;
    double asked = 0;
    for (;;) {
        int st;
        pid_t pid = waitpid(-1, &st, WNOHANG);
        if (pid == child) {
            status = st;
            child_over = true;
            asked = asked > 0 ? now_seconds() : 0;
        }
        if (pid < 0 && errno == ECHILD)
            return status;
        if (pid > 0)
            continue;
        size_t taken = collect_poll(c);
        if (interrupted() && asked <= 0)
            asked = now_seconds();
        if (asked > 0 && now_seconds() - asked > 1) {
            if (child_over)
                return status;
            kill(child, SIGTERM);
            asked = now_seconds();
        }
        if (child_over && !told && isatty(2)) {
            fprintf(stderr, "hakmem record: the program ended, processes that it left behind are still recorded; "
                            "Ctrl-C ends that\n");
            told = true;
        }
        if (taken < 8)
            usleep(taken ? 500 : 3000);
    }
}

static json_t *end_block(struct collector *c, struct trace_writer *w, char **command, struct clock_pair from,
                         int status, const char *lib) {
    struct collect_totals t = collect_totals(c);
    while (now_seconds() - from.seconds < 0.05)
        usleep(5000);
    struct clock_pair to = clock_now();
    json_t *argv = json_array();
    for (char **a = command; *a; a++)
        json_array_append_new(argv, json_string(*a));
    double ticks = (double)(to.stamp - from.stamp) / (to.seconds - from.seconds);
    char begin[24];
    snprintf(begin, sizeof begin, "%llu", (unsigned long long)from.stamp);
    return json_pack("{s:i,s:o,s:f,s:s,s:s,s:f,s:i,s:I,s:I,s:I,s:I,s:I,s:o}", "hakmem_record", 1, "command", argv,
                     "ticks_per_second", ticks, "begin", begin, "library", lib ? lib : "", "wall",
                     to.seconds - from.seconds, "status", status, "events", (json_int_t)w->events, "lost",
                     (json_int_t)t.lost, "untracked", (json_int_t)t.untracked, "unrecorded", (json_int_t)t.unrecorded,
                     "processes", (json_int_t)t.processes, "machine", machine_facts());
}

static int exit_status(int status) {
    return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static void record_report(const struct record_options *o, const json_t *end, const struct trace_writer *w, int status) {
    if (o->json) {
        json_print(end);
        return;
    }
    double events = json_number_value(json_object_get(end, "events")),
           lost = json_number_value(json_object_get(end, "lost"));
    fprintf(stderr, "hakmem record: %s events of %lld processes in %s (%s, %.1f bytes an event)", count_text(events),
            (long long)json_integer_value(json_object_get(end, "processes")), o->out, bytes_text((double)w->bytes),
            events > 0 ? (double)w->bytes / events : 0);
    fprintf(stderr, lost > 0 ? "; %s events were LOST\n" : "\n", count_text(lost));
    double missed = json_number_value(json_object_get(end, "unrecorded"));
    if (missed > 0)
        fprintf(
            stderr,
            "hakmem record: %.0f forked process%s could NOT be recorded, out of reach of the scratch folder (chroot) "
            "or of file descriptors\n",
            missed, missed > 1 ? "es" : "");
    if (WIFSIGNALED(status))
        fprintf(stderr, "hakmem record: the program was ended by signal %d (%s); all it did until then is recorded\n",
                WTERMSIG(status), strsignal(WTERMSIG(status)));
}

int cmd_record(int argc, char **argv) {
    struct record_options o = {0};
    struct trace_writer w;
    uint64_t room = 0;
    int first = parse_args(&record_argp, argc, argv, &o);
    if (!o.out)
        fail(STATUS_USAGE, "say where to with -o FILE, for instance: hakmem record -o program.hkt -- CMD");
    if (first >= argc)
        fail(STATUS_USAGE, "no command given, for instance: hakmem record -o program.hkt -- python3 script.py");
    free(libs_check_command(argv[first]));
    char *lib = o.lib ? libs_path(o.lib) : NULL;
    char *dir =
        scratch_make(o.scratch, &room); /* before the output: a recording that was there stays until all else is well */
    if (trace_create(&w, o.out)) {
        rmdir(dir);
        fail(STATUS_FAILED, "-o %s: %s", o.out, strerror(w.error));
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    collect_clock();
    struct clock_pair from = clock_now();
    struct collector *c = collect_open(dir, &w); /* makes what the child needs */
    pid_t child = fork();
    if (child < 0) {
        int error = errno;
        collect_finish(c);
        rmdir(dir);
        fail(STATUS_FAILED, "fork: %s", strerror(error));
    }
    if (child == 0)
        child_run(argv + first, lib, dir, room);
    interrupt_catch();
    int status = record_follow(c, child);
    collect_finish(c);
    rmdir(dir);
    json_t *end = end_block(c, &w, argv + first, from, exit_status(status), lib);
    if (!w.error)
        trace_put_json(&w, TRACE_END, 0, end);
    if (trace_finish(&w))
        fail(STATUS_FAILED, "%s: %s; the recording was cut there", o.out, strerror(w.error));
    struct collect_totals t = collect_totals(c);
    if (t.processes == 0 && exit_status(status) != STATUS_NO_FILE && exit_status(status) != STATUS_NO_EXEC)
        fail(STATUS_UNPROVEN, "%s was not recorded: it is static or setuid, or drops LD_PRELOAD", argv[first]);
    record_report(&o, end, &w, status);
    json_decref(end);
    collect_close(c);
    free(dir);
    free(lib);
    return exit_status(status);
}
