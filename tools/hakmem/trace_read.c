/* trace_read.c : the index of a recording, and its events in order.
 * Memory     the index, and one decoded block for each thread of the stream that is read */
#include "trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define BLOCK_MAGIC 0x314b4248u
enum { BLOCK_RAW_MAX = 1 << 28 };

void *trace_alloc(void *old, size_t size) {
    void *p = realloc(old, size ? size : 1);
    if (!p) {
        fprintf(stderr, "hakmem: out of memory for %zu bytes\n", size);
        exit(3);
    }
    return p;
}

static bool read_at(int fd, void *to, size_t size, uint64_t at) {
    while (size) {
        ssize_t n = pread(fd, to, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to = (char *)to + n;
        size -= (size_t)n;
        at += (size_t)n;
    }
    return true;
}

static struct trace_stream *stream_of(struct trace_file *f, uint32_t id) {
    for (size_t i = f->streams; i-- > 0;)
        if (f->stream[i].id == id)
            return &f->stream[i];
    f->stream = trace_alloc(f->stream, (f->streams + 1) * sizeof *f->stream);
    struct trace_stream *s = &f->stream[f->streams++];
    *s = (struct trace_stream){.id = id, .exe = "unknown"};
    return s;
}

static struct trace_thread *thread_of(struct trace_stream *s, uint32_t id) {
    for (size_t i = s->threads; i-- > 0;)
        if (s->thread[i].id == id)
            return &s->thread[i];
    s->thread = trace_alloc(s->thread, (s->threads + 1) * sizeof *s->thread);
    struct trace_thread *t = &s->thread[s->threads++];
    *t = (struct trace_thread){.id = id};
    return t;
}

static void index_events(struct trace_file *f, const struct block_head *h, uint64_t at) {
    struct trace_stream *s = stream_of(f, h->stream);
    struct trace_thread *t = thread_of(s, h->thread);
    if (t->blocks == t->room)
        t->block = trace_alloc(t->block, (t->room = t->room * 2 + 4) * sizeof *t->block);
    t->block[t->blocks++] = (struct trace_block){at, h->base, h->raw, h->packed, h->count, h->seq};
    t->events += h->count;
    s->events += h->count;
}

static json_t *json_block(int fd, const struct block_head *h, uint64_t at) {
    char *packed = trace_alloc(NULL, h->packed), *raw = trace_alloc(NULL, h->raw);
    json_t *value = NULL;
    if (read_at(fd, packed, h->packed, at) && ZSTD_decompress(raw, h->raw, packed, h->packed) == h->raw)
        value = json_loadb(raw, h->raw, 0, NULL);
    free(packed);
    free(raw);
    return value;
}

static void index_json(struct trace_file *f, const struct block_head *h, json_t *value) {
    const char *exe = NULL, *start = NULL, *parent = NULL;
    int pid = 0, forked = 0;
    json_int_t sparse = 0;
    if (h->kind == TRACE_END) {
        json_decref(f->end);
        f->end = value;
        f->ticks = json_number_value(json_object_get(value, "ticks_per_second"));
        return;
    }
    struct trace_stream *s = stream_of(f, h->stream);
    if (h->kind == TRACE_SAMPLES) {
        json_decref(s->samples);
        s->samples = value;
        return;
    }
    json_unpack(value, "{s?i,s?b,s?s,s?s,s?s,s?I}", "pid", &pid, "forked", &forked, "exe", &exe, "start", &start,
                "parent_start", &parent, "sparse", &sparse);
    s->sparse = (uint64_t)sparse;
    json_decref(s->meta);
    s->meta = value;
    s->pid = (uint32_t)pid;
    s->forked = forked;
    s->exe = exe && *exe ? exe : "unknown";
    s->start = start ? strtoull(start, NULL, 10) : 0;
    s->parent_start = parent ? strtoull(parent, NULL, 10) : 0;
}

static int block_order(const void *a, const void *b) {
    const struct trace_block *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void index_finish(struct trace_file *f) {
    for (size_t i = 0; i < f->streams; i++) {
        struct trace_stream *s = &f->stream[i];
        for (size_t t = 0; t < s->threads; t++)
            qsort(s->thread[t].block, s->thread[t].blocks, sizeof *s->thread[t].block, block_order);
        for (size_t k = 0; s->forked && k < f->streams; k++)
            if (k != i && f->stream[k].start == s->parent_start)
                s->parent = &f->stream[k];
    }
    if (!(f->ticks > 0))
        f->ticks = 1e9;
}

/* What is wrong with a file that does not begin as a recording does; NULL: nothing. */
static const char *start_fault(const struct trace_file *f, const struct stat *st) {
    char magic[8] = "";
    static char text[160];
    if (S_ISDIR(st->st_mode))
        return "it is a folder";
    if (!S_ISREG(st->st_mode))
        return "it is not a file (a pipe must be saved to one first)";
    if (!st->st_size)
        return "it is empty: nothing was recorded into it";
    bool whole = read_at(f->fd, magic, 8, 0);
    if (whole && memcmp(magic, TRACE_MAGIC, 8) == 0)
        return NULL;
    if (!whole || memcmp(magic, TRACE_MAGIC, 6) != 0 || magic[7] != '\n')
        return "not a recording of `hakmem record`";
    snprintf(text, sizeof text,
             "a recording of version %c, which this hakmem (version %c) does not read; record it again", magic[6],
             TRACE_MAGIC[6]);
    return text;
}

bool trace_open(struct trace_file *f, const char *path, char why[256]) {
    struct stat st;
    *f = (struct trace_file){.fd = open(path, O_RDONLY | O_CLOEXEC), .path = path};
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        snprintf(why, 256, "%s: %s", path, strerror(errno));
        return false;
    }
    const char *fault = start_fault(f, &st);
    if (fault) {
        snprintf(why, 256, "%s: %s", path, fault);
        trace_close(f);
        return false;
    }
    uint64_t at = 8, size = (uint64_t)st.st_size;
    for (struct block_head h; at < size; at += sizeof h + h.packed) {
        if (!read_at(f->fd, &h, sizeof h, at) || h.magic != BLOCK_MAGIC || h.raw > BLOCK_RAW_MAX ||
            at + sizeof h + h.packed > size)
            break;
        json_t *value;
        if (h.kind == TRACE_EVENTS)
            index_events(f, &h, at + sizeof h);
        else if ((value = json_block(f->fd, &h, at + sizeof h)))
            index_json(f, &h, value);
        else
            break;
    }
    f->cut_bytes = size > at ? size - at : 0;
    index_finish(f);
    if (f->streams == 0) {
        snprintf(why, 256, "%s: holds no process: the program was not recorded (static, setuid, or never ran)", path);
        trace_close(f);
        return false;
    }
    return true;
}

void trace_close(struct trace_file *f) {
    for (size_t i = 0; i < f->streams; i++) {
        struct trace_stream *s = &f->stream[i];
        for (size_t t = 0; t < s->threads; t++)
            free(s->thread[t].block);
        free(s->thread);
        json_decref(s->meta);
        json_decref(s->samples);
    }
    free(f->stream);
    json_decref(f->end);
    if (f->fd >= 0)
        close(f->fd);
    *f = (struct trace_file){.fd = -1};
}

const char *trace_name(const struct trace_stream *s) {
    const char *slash = strrchr(s->exe, '/');
    return slash ? slash + 1 : s->exe;
}

struct trace_stream *trace_pick(const struct trace_file *f, const char *name) {
    struct trace_stream *best = NULL;
    char *rest = NULL;
    unsigned long n = name ? strtoul(name, &rest, 10) : 0;
    bool number = name && *name && !*rest;
    for (size_t i = 0; i < f->streams; i++) {
        struct trace_stream *s = &f->stream[i];
        if (number && (s->pid == n || i == n))
            return s;
        if (name && (number || !strstr(trace_name(s), name)))
            continue;
        if (!best || s->events > best->events)
            best = s;
    }
    return best;
}

/* One thread's place in the stream. */
struct lane_cursor {
    const struct trace_thread *thread;
    struct trace_event *event;
    uint32_t index;
    size_t block; /* the next to decode */
    uint32_t at, count;
};

struct trace_cursor {
    int fd;
    uint64_t sparse;
    bool bad, started;
    size_t lanes, heap_size;
    struct lane_cursor *lane;
    uint32_t *heap; /* lanes by their next stamp, least first */
    unsigned char *raw, *packed;
    size_t raw_room, packed_room;
    ZSTD_DCtx *zstd;
};

static bool lane_fill(struct trace_cursor *c, struct lane_cursor *l) {
    while (l->at >= l->count && l->block < l->thread->blocks && !c->bad) {
        const struct trace_block *b = &l->thread->block[l->block++];
        if (b->packed > c->packed_room)
            c->packed = trace_alloc(c->packed, c->packed_room = b->packed);
        if (b->raw > c->raw_room)
            c->raw = trace_alloc(c->raw, c->raw_room = b->raw);
        l->event = trace_alloc(l->event, (b->count + (size_t)1) * sizeof *l->event);
        l->at = 0;
        l->count = b->count;
        c->bad = !read_at(c->fd, c->packed, b->packed, b->at) ||
                 ZSTD_decompressDCtx(c->zstd, c->raw, b->raw, c->packed, b->packed) != b->raw ||
                 !trace_decode(c->raw, b->raw, &(struct trace_pace){b->base, c->sparse}, l->event, b->count);
    }
    return l->at < l->count && !c->bad;
}

static bool lane_before(const struct trace_cursor *c, uint32_t a, uint32_t b) {
    const struct lane_cursor *x = &c->lane[a], *y = &c->lane[b];
    uint64_t s = x->event[x->at].stamp, t = y->event[y->at].stamp;
    return s != t ? s < t : a < b;
}

static void heap_down(struct trace_cursor *c, size_t i) {
    for (;;) {
        size_t least = i, left = 2 * i + 1;
        for (size_t k = left; k < left + 2 && k < c->heap_size; k++)
            if (lane_before(c, c->heap[k], c->heap[least]))
                least = k;
        if (least == i)
            return;
        uint32_t swap = c->heap[i];
        c->heap[i] = c->heap[least];
        c->heap[least] = swap;
        i = least;
    }
}

struct trace_cursor *trace_cursor_open(const struct trace_file *f, const struct trace_stream *s) {
    struct trace_cursor *c = trace_alloc(NULL, sizeof *c);
    *c = (struct trace_cursor){.fd = f->fd, .sparse = s->sparse, .lanes = s->threads, .zstd = ZSTD_createDCtx()};
    c->lane = trace_alloc(NULL, (s->threads + 1) * sizeof *c->lane);
    c->heap = trace_alloc(NULL, (s->threads + 1) * sizeof *c->heap);
    for (size_t i = 0; i < s->threads; i++) {
        c->lane[i] = (struct lane_cursor){.thread = &s->thread[i], .index = (uint32_t)i};
        if (lane_fill(c, &c->lane[i]))
            c->heap[c->heap_size++] = (uint32_t)i;
    }
    for (size_t i = c->heap_size; i-- > 0;)
        heap_down(c, i);
    return c;
}

const struct trace_event *trace_cursor_next(struct trace_cursor *c, uint32_t *thread) {
    if (c->started && c->heap_size) { /* step past the event that was handed out last */
        struct lane_cursor *l = &c->lane[c->heap[0]];
        l->at++;
        if (!lane_fill(c, l))
            c->heap[0] = c->heap[--c->heap_size];
        heap_down(c, 0);
    }
    c->started = true;
    if (!c->heap_size || c->bad)
        return NULL;
    *thread = c->heap[0];
    return &c->lane[c->heap[0]].event[c->lane[c->heap[0]].at];
}

bool trace_cursor_bad(const struct trace_cursor *c) { return c->bad; }

void trace_cursor_close(struct trace_cursor *c) {
    for (size_t i = 0; i < c->lanes; i++)
        free(c->lane[i].event);
    free(c->lane);
    free(c->heap);
    free(c->raw);
    free(c->packed);
    ZSTD_freeDCtx(c->zstd);
    free(c);
}
