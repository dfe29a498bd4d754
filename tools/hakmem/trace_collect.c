/* trace_collect.c : see trace_collect.h; the other end of tools/record/record_file.c.
 * Owns       slots in state FULL: packs them into the recording, clears them, frees them
 * Invariant  a slot's events reach the recording once: when it is full, or when its process image has ended */
#include "trace_collect.h"
#include "util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { WARM_SLOTS = 1024, BEHIND_SLOTS = 16, SAMPLES_MAX = 1000 };
static const double SAMPLE_EVERY = 0.02, PAGES_EVERY = 0.1, TICK_EVERY = 0.002;

int wire_by_clock;

struct image {
    char name[64];
    struct wire_head *head;
    size_t size;
    uint32_t stream;
    bool announced, ended;
    json_t *samples;
    size_t stride, skipped; /* every stride-th sample is kept */
    double pages_due;
    int pagemap, fd;
};

struct collector {
    const char *dir;
    struct trace_writer *to;
    struct image **image;
    size_t images, live;
    double begun, sample_due, tick_due;
    uint64_t lost, untracked, room; /* room: bytes free in dir at the start */
    struct wire_common *common;
    struct wire_slot *scratch;
};

static uint64_t room_left(const char *dir) {
    struct statvfs fs;
    return statvfs(dir, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

static struct wire_common *common_make(const char *dir) {
    char *path = xprintf("%s/" WIRE_COMMON, dir);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    void *at = MAP_FAILED;
    struct wire_common zero = {.unrecorded = 0};
    /* a program that gives up being root still writes to it */
    if (fd >= 0 && write(fd, &zero, sizeof zero) == sizeof zero && (geteuid() != 0 || fchmod(fd, 0666) == 0))
        at = mmap(NULL, sizeof(struct wire_common), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        fail(STATUS_FAILED, "%s: %s", path, strerror(errno));
    close(fd);
    free(path);
    return at;
}

struct collector *collect_open(const char *dir, struct trace_writer *w) {
    struct collector *c = xmalloc(sizeof *c);
    *c = (struct collector){.dir = dir, .to = w, .begun = now_seconds(), .common = common_make(dir)};
    c->scratch = xmalloc(sizeof *c->scratch);
    c->room = room_left(dir);
    return c;
}

bool collect_clock(void) {
    wire_by_clock = getenv(WIRE_ENV_CLOCK) != NULL;
#if defined(__x86_64__)
    char *source = read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", NULL);
    if (!source || strncmp(source, "tsc", 3) != 0)
        wire_by_clock = 1;
    free(source);
#endif
    return wire_by_clock;
}

static struct wire_slot *slot_of(const struct image *m, uint32_t i) {
    return (struct wire_slot *)((char *)m->head + WIRE_SLOTS_AT + (uint64_t)i * WIRE_SLOT_BYTES);
}

/* The command line: NUL-separated words to a JSON list. */
static json_t *args_json(const char *args) {
    json_t *list = json_array();
    for (const char *at = args; at < args + WIRE_ARGS - 1 && *at; at += strlen(at) + 1)
        json_array_append_new(list, json_stringn_nocheck(at, strlen(at)));
    return list;
}

static void image_announce(struct collector *c, struct image *m) {
    const struct wire_head *h = m->head;
    char start[24], parent[24];
    snprintf(start, sizeof start, "%llu", (unsigned long long)h->start);
    snprintf(parent, sizeof parent, "%llu", (unsigned long long)h->parent_start);
    json_t *meta = json_pack("{s:i,s:i,s:I,s:b,s:s,s:s,s:s%,s:o}", "pid", (int)h->pid, "ppid", (int)h->ppid, "sparse",
                             (json_int_t)wire_sparse(), "forked", (int)h->forked, "start", start, "parent_start",
                             parent, "exe", h->exe, strnlen(h->exe, WIRE_PATH), "args", args_json(h->args));
    if (!meta) /* a name that is no UTF-8 */
        meta = json_pack("{s:i,s:I,s:b,s:s,s:s}", "pid", (int)h->pid, "sparse", (json_int_t)wire_sparse(), "forked",
                         (int)h->forked, "start", start, "parent_start", parent);
    trace_put_json(c->to, TRACE_PROCESS, m->stream, meta);
    json_decref(meta);
    m->announced = true;
}

/* Others may put files into the folder when root records: the file must be of the size that it claims, and name a process of its owner's
 * or one that has ended. */
static bool image_honest(const struct wire_head *h, const struct stat *file) {
    char path[48];
    unsigned real, effective, saved, fs;
    if (!S_ISREG(file->st_mode) || h->slots > WIRE_SLOTS_MAX || (uint64_t)file->st_size != wire_file_bytes(h->slots))
        return false;
    snprintf(path, sizeof path, "/proc/%u/status", h->pid);
    char *status = file->st_uid == geteuid() ? NULL : read_file(path, NULL);
    const char *uid = status ? strstr(status, "\nUid:") : NULL;
    bool honest = !status ||
                  (uid && sscanf(uid, "\nUid: %u %u %u %u", &real, &effective, &saved, &fs) == 4 && fs == file->st_uid);
    free(status);
    return honest;
}

static struct image *image_open(struct collector *c, const char *name) {
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", c->dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    void *at = MAP_FAILED;
    struct wire_head h = {.magic = 0}; /* until it is there the file is being made: the next look will find it */
    if (pread(fd, &h, sizeof h, 0) == sizeof h && h.magic == WIRE_MAGIC && fstat(fd, &st) == 0 && image_honest(&h, &st))
        at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        close(fd);
        return NULL;
    }
    struct image *m = xmalloc(sizeof *m);
    *m = (struct image){.head = at, .size = (size_t)st.st_size, .samples = json_array(), .stride = 1, .pagemap = -1};
    m->fd = fd;
    unlink(path); /* both sides have it mapped: whatever ends us, its memory goes with the last of us */
    atomic_store_explicit(&m->head->recorder, (uint32_t)getpid(), memory_order_relaxed);
    snprintf(m->name, sizeof m->name, "%s", name);
    m->stream = (uint32_t)c->images;
    c->image = xrealloc(c->image, (c->images + 1) * sizeof *c->image);
    c->image[c->images++] = m;
    c->live++;
    return m;
}

static bool image_known(const struct collector *c, const char *name) {
    for (size_t i = c->images; i-- > 0;)
        if (strcmp(c->image[i]->name, name) == 0)
            return true;
    return false;
}

/* Files are named PID-STAMP; a folder lists them in no order. */
static int started_order(const struct dirent **a, const struct dirent **b) {
    const char *x = strchr((*a)->d_name, '-'), *y = strchr((*b)->d_name, '-');
    uint64_t s = x ? strtoull(x + 1, NULL, 16) : 0, t = y ? strtoull(y + 1, NULL, 16) : 0;
    return (s > t) - (s < t);
}

static void collect_discover(struct collector *c) {
    struct dirent **list;
    int n = scandir(c->dir, &list, NULL, started_order);
    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.' && !image_known(c, list[i]->d_name))
            image_open(c, list[i]->d_name);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

static off_t slot_offset(uint32_t i) { return (off_t)(WIRE_SLOTS_AT + (uint64_t)i * WIRE_SLOT_BYTES); }

/* Copies a slot out. Reading the mapping would make the file's holes into pages, for which there may be no room. */
static struct wire_slot *slot_read(const struct collector *c, const struct image *m, uint32_t i) {
    memset(c->scratch, 0, sizeof *c->scratch);
    ssize_t n = pread(m->fd, c->scratch, sizeof *c->scratch, slot_offset(i));
    if (n < 0)
        warn("%s/%s: %s", c->dir, m->name, strerror(errno));
    return c->scratch;
}

/* Was the slot written to its end, as far as one event of any kind would fit? Then it has no holes. */
static bool slot_whole(const struct image *m, uint32_t i) {
    uint64_t last;
    off_t at = slot_offset(i) + (off_t)offsetof(struct wire_slot, word[WIRE_WORDS - WIRE_WIDE_WORDS - 2]);
    return pread(m->fd, &last, sizeof last, at) == sizeof last && last != WIRE_NONE;
}

/* Each thread's next event is to be stamped: so that what comes after a pause is not taken for what came before. */
static void collect_tick(struct collector *c) {
    double now = now_seconds();
    if (now < c->tick_due)
        return;
    c->tick_due = now + TICK_EVERY;
    for (size_t k = 0; k < c->images; k++) {
        const struct image *m = c->image[k];
        for (uint32_t i = 0; !m->ended && i < m->head->slots && i < WIRE_SLOTS_MAX; i++)
            /* acq: pairs with lane_enter_slot */
            if (atomic_load_explicit(&m->head->state[i], memory_order_acquire) == WIRE_OPEN_SLOT)
                atomic_store_explicit(&slot_of(m, i)->limit, 0, memory_order_relaxed);
    }
}

/* Takes the events of a full slot. A few written slots are kept as pages, which the packing clears; the others' go back to the system. */
static void slot_take(const struct collector *c, const struct image *m, uint32_t i) {
    bool whole = slot_whole(m, i);
    trace_put_events(c->to, m->stream, whole ? slot_of(m, i) : slot_read(c, m, i));
    bool warm = i < WARM_SLOTS && whole;
    if (!warm && madvise(slot_of(m, i), WIRE_SLOT_BYTES, MADV_REMOVE) != 0)
        memset(slot_of(m, i), 0, WIRE_SLOT_BYTES);
    /* rel: pairs with slot_claim */
    atomic_store_explicit(&m->head->state[i], warm ? WIRE_WARM_SLOT : WIRE_FREE_SLOT, memory_order_release);
}

static size_t image_drain(struct collector *c, struct image *m) {
    size_t taken = 0;
    if (!m->announced && atomic_load_explicit(&m->head->ready, memory_order_acquire)) /* acq: pairs with head_fill */
        image_announce(c, m);
    for (uint32_t i = 0; i < m->head->slots && i < WIRE_SLOTS_MAX; i++) {
        /* acq: pairs with lane_end_slot */
        if (atomic_load_explicit(&m->head->state[i], memory_order_acquire) != WIRE_FULL_SLOT)
            continue;
        collect_tick(c);
        slot_take(c, m, i);
        taken++;
    }
    return taken;
}

static uint64_t pages_counted(int pagemap, uint64_t addr, uint64_t size) {
    uint64_t word[512], page = (uint64_t)sysconf(_SC_PAGESIZE), n = 0;
    uint64_t at = addr / page, end = (addr + size + page - 1) / page;
    while (at < end) {
        size_t want = end - at < 512 ? end - at : 512;
        ssize_t got = pread(pagemap, word, want * 8, (off_t)(at * 8));
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got / 8; i++)
            n += word[i] >> 62 != 0; /* present or swapped */
        at += (uint64_t)got / 8;
    }
    return n * (page / 4096);
}

/* Counts the touched pages of large live blocks, so that they are known if the program is killed. */
static void image_sample_pages(struct image *m, double now) {
    struct wire_large *table = (struct wire_large *)((char *)m->head + WIRE_LARGE_AT);
    if (now < m->pages_due || !atomic_load_explicit(&m->head->larges, memory_order_relaxed))
        return;
    if (m->pagemap < 0) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%u/pagemap", m->head->pid);
        m->pagemap = open(path, O_RDONLY | O_CLOEXEC);
    }
    for (unsigned i = 0; i < WIRE_LARGE_MAX && m->pagemap >= 0; i++) {
        uint64_t addr =
            atomic_load_explicit(&table[i].addr, memory_order_acquire); /* acq: pairs with record_large_add */
        if (addr > 1)
            atomic_store_explicit(&table[i].pages, pages_counted(m->pagemap, addr, table[i].size) + 1,
                                  memory_order_relaxed);
    }
    double cost = now_seconds() - now;
    m->pages_due = now + (cost * 20 > PAGES_EVERY ? cost * 20 : PAGES_EVERY);
}

static void image_sample(const struct collector *c, struct image *m, double now) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/statm", m->head->pid);
    char *statm = read_file(path, NULL);
    snprintf(path, sizeof path, "/proc/%u/stat", m->head->pid);
    char *stat = statm ? read_file(path, NULL) : NULL;
    const char *after = stat ? strrchr(stat, ')') : NULL;
    unsigned long rss = 0, minor = 0, major = 0;
    if (after && sscanf(statm, "%*u %lu", &rss) == 1 &&
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &minor, &major) == 2 && rss &&
        m->skipped++ % m->stride == 0) {
        json_t *row = json_pack("[f,I,I]", now - c->begun, (json_int_t)(rss * (unsigned long)sysconf(_SC_PAGESIZE)),
                                (json_int_t)(minor + major));
        json_array_append_new(m->samples, row);
        for (size_t i = json_array_size(m->samples); i > SAMPLES_MAX && i-- > 0;) /* too many: drop each second one */
            if (i % 2)
                json_array_remove(m->samples, i);
        m->stride *= json_array_size(m->samples) == SAMPLES_MAX / 2 + 1 && m->stride < 1 << 20 ? 2 : 1;
    }
    free(stat);
    free(statm);
}

/* What is left of an image that has ended: slots that were being written, and its large blocks. */
static void image_end(struct collector *c, struct image *m) {
    image_drain(c, m);
    for (uint32_t i = 0; i < m->head->slots && i < WIRE_SLOTS_MAX; i++)
        if (atomic_load_explicit(&m->head->state[i], memory_order_relaxed) == WIRE_OPEN_SLOT)
            trace_put_events(c->to, m->stream, slot_read(c, m, i));
    const struct wire_large *table = (struct wire_large *)((char *)m->head + WIRE_LARGE_AT);
    struct wire_slot *s = c->scratch;
    memset(s, 0, sizeof *s);
    s->thread = UINT32_MAX;
    s->base = wire_stamp();
    size_t n = 0;
    bool any = atomic_load_explicit(&m->head->larges, memory_order_relaxed);
    for (unsigned i = 0; any && i < WIRE_LARGE_MAX && n + WIRE_WIDE_WORDS <= WIRE_WORDS; i++) {
        uint64_t addr = atomic_load_explicit(&table[i].addr, memory_order_relaxed);
        uint64_t pages = atomic_load_explicit(&table[i].pages, memory_order_relaxed);
        if (addr > 1 && pages) {
            s->word[n++] = (uint64_t)WIRE_PAGES << 4 | WIRE_WIDE;
            s->word[n++] = addr;
            s->word[n++] = ~pages;
        }
    }
    if (n)
        trace_put_events(c->to, m->stream, s);
    if (json_array_size(m->samples))
        trace_put_json(c->to, TRACE_SAMPLES, m->stream, m->samples);
    c->lost += atomic_load_explicit(&m->head->lost, memory_order_relaxed);
    c->untracked += atomic_load_explicit(&m->head->untracked, memory_order_relaxed);
    munmap(m->head, m->size);
    if (m->pagemap >= 0)
        close(m->pagemap);
    close(m->fd);
    json_decref(m->samples);
    m->samples = NULL;
    m->head = NULL;
    m->ended = true;
    c->live--;
}

/* An image has ended when its process is gone, or runs a newer image. */
static bool image_over(const struct collector *c, size_t i) {
    const struct image *m = c->image[i];
    if (kill((pid_t)m->head->pid, 0) != 0 && errno == ESRCH)
        return true;
    for (size_t k = i + 1; k < c->images; k++)
        if (!c->image[k]->ended && c->image[k]->head->pid == m->head->pid && c->image[k]->announced)
            return true;
    return false;
}

size_t collect_poll(struct collector *c) {
    size_t taken = 0;
    double now = now_seconds();
    bool sample = now >= c->sample_due, narrow = room_left(c->dir) < c->room / 4;
    collect_discover(c);
    collect_tick(c);
    for (size_t i = 0; i < c->images; i++) {
        struct image *m = c->image[i];
        if (m->ended)
            continue;
        atomic_store_explicit(&m->head->narrow, narrow, memory_order_relaxed);
        atomic_fetch_add_explicit(&m->head->looks, 1, memory_order_relaxed);
        taken += image_drain(c, m);
        if (sample && m->announced) {
            image_sample(c, m, now);
            image_sample_pages(m, now);
        }
        if (sample && m->announced && image_over(c, i))
            image_end(c, m);
    }
    if (sample)
        c->sample_due = now + SAMPLE_EVERY;
    trace_hurry(c->to, taken >= BEHIND_SLOTS);
    return taken;
}

void collect_finish(struct collector *c) {
    collect_discover(c);
    for (size_t i = 0; i < c->images; i++) {
        struct image *m = c->image[i];
        if (m->ended)
            continue;
        atomic_store_explicit(&m->head->parent_gone, 1, memory_order_relaxed);
        image_end(c, m);
    }
    struct dirent **list;
    int n = scandir(c->dir, &list, NULL, NULL);
    for (int i = 0; i < n; i++) { /* files that were never finished: their processes did not get far */
        char path[512];
        snprintf(path, sizeof path, "%s/%s", c->dir, list[i]->d_name);
        unlink(path);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

struct collect_totals collect_totals(const struct collector *c) {
    return (struct collect_totals){c->images, c->lost, c->untracked,
                                   atomic_load_explicit(&c->common->unrecorded, memory_order_relaxed)};
}

void collect_close(struct collector *c) {
    for (size_t i = 0; i < c->images; i++)
        free(c->image[i]);
    free(c->image);
    munmap(c->common, sizeof *c->common);
    free(c->scratch);
    free(c);
}
