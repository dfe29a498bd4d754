/* trace_plan.c : see trace_plan.h and ../record/replay_plan.h.
 * Invariant  within an epoch a slot is filled at most once by a thread that others do not yet know of: whatever would need more order
 *            than "wait until the slot is filled" begins a new epoch */
#include "trace_plan.h"
#include "../record/replay_plan.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { NONE = UINT32_MAX, EPOCH_OPS = 4096, EPOCH_BYTES = 16384, EPOCH_SHARE = 256 };

/* What the planner knows of a live object, by its index in the recording. */
struct planned {
    uint32_t slot;
    uint32_t epoch, writer; /* of the last change of its slot */
    bool moved, reused;     /* in that epoch: by realloc; into a slot that was freed in the same epoch */
    struct plan_op *last;   /* the operation whose pages become known when the block dies */
};

/* A growing list of slots. */
struct slots {
    uint32_t *at;
    size_t used, room;
};

struct lane_plan {
    uint64_t wanted; /* operations, with those for which there was no room */
    struct plan_op *op;
    uint64_t ops, room;
    uint32_t first_epoch, last_epoch;
    uint64_t last_stamp;
    bool ended;
    struct slots spare; /* freed by this thread in this epoch */
};

struct planner {
    struct lane_plan *lane;
    size_t lanes;
    struct planned *object;
    size_t object_room;
    struct slots spare, active; /* active: threads with operations in this epoch */
    uint32_t slot_next;
    struct plan_epoch *epoch;
    size_t epoch_room;
    uint32_t now; /* epoch */
    uint64_t churn, epoch_ops, total;
    double ns; /* a stamp */
    uint64_t start;
};

static void slots_push(struct slots *s, uint32_t value) {
    if (s->used == s->room)
        s->at = xrealloc(s->at, (s->room = s->room * 2 + 64) * sizeof *s->at);
    s->at[s->used++] = value;
}

static void epoch_cut(struct planner *p) {
    for (size_t i = 0; i < p->active.used; i++) {
        struct slots *s = &p->lane[p->active.at[i]].spare;
        while (s->used)
            slots_push(&p->spare, s->at[--s->used]);
    }
    p->active.used = 0;
    p->churn = p->epoch_ops = 0;
    p->now++;
}

static struct planned *planned_of(struct planner *p, uint32_t object) {
    if (object >= p->object_room) {
        size_t room = object + object / 2 + 1024;
        p->object = xrealloc(p->object, room * sizeof *p->object);
        memset(p->object + p->object_room, 0, (room - p->object_room) * sizeof *p->object);
        p->object_room = room;
    }
    return &p->object[object];
}

/* Must the operation wait for more than its slot? */
static bool needs_order(const struct planner *p, const struct trace_action *a, const struct planned *o) {
    return a->act != ACT_BIRTH && o->epoch == p->now && o->writer != a->thread && (o->moved || o->reused);
}

static void epoch_enter(struct planner *p, const struct trace_action *a, const struct planned *o,
                        const struct trace_counts *now) {
    struct lane_plan *l = &p->lane[a->thread];
    uint64_t bytes = a->size + (a->act == ACT_RESIZE ? a->old_size : 0), limit = now->peak / EPOCH_SHARE;
    bool joins = l->ops == 0 || l->last_epoch != p->now;
    limit = limit > EPOCH_BYTES ? limit : EPOCH_BYTES;
    bool shared = p->active.used + joins > 1;
    if (needs_order(p, a, o) || (shared && (p->epoch_ops >= EPOCH_OPS || p->churn + bytes > limit)))
        epoch_cut(p);
    if (l->ops == 0 || l->last_epoch != p->now) {
        if (p->now >= p->epoch_room) {
            size_t room = p->now * 2 + 64;
            p->epoch = xrealloc(p->epoch, room * sizeof *p->epoch);
            memset(p->epoch + p->epoch_room, 0, (room - p->epoch_room) * sizeof *p->epoch);
            p->epoch_room = room;
        }
        slots_push(&p->active, a->thread);
        p->epoch[p->now].threads++;
        if (l->ops == 0) {
            l->first_epoch = p->now;
            p->epoch[p->now].starts++;
        }
        l->last_epoch = p->now;
    }
    p->churn += bytes;
    p->epoch_ops++;
}

static uint32_t slot_take(struct planner *p, struct lane_plan *l, bool *reused) {
    *reused = l->spare.used > 0;
    if (l->spare.used)
        return l->spare.at[--l->spare.used];
    if (p->spare.used)
        return p->spare.at[--p->spare.used];
    return p->slot_next++;
}

static struct plan_op *op_add(struct planner *p, const struct trace_action *a, enum plan_what what, uint32_t slot) {
    struct lane_plan *l = &p->lane[a->thread];
    l->wanted++;
    if (l->ops == l->room)
        return NULL; /* plan_make will try again with more */
    struct plan_op *op = &l->op[l->ops++];
    double wait = a->stamp > l->last_stamp ? (double)(a->stamp - l->last_stamp) * p->ns / PLAN_TIME_NS : 0;
    *op = (struct plan_op){.what = (uint64_t)what | (uint64_t)a->align_log2 << 4 | a->size << 10,
                           .slot = slot,
                           .epoch = p->now,
                           .wait = wait < (double)UINT32_MAX ? (uint32_t)wait : UINT32_MAX};
    l->last_stamp = a->stamp > l->last_stamp ? a->stamp : l->last_stamp;
    p->total++;
    return op;
}

static void plan_action(void *context, const struct trace_action *a, const struct trace_counts *now) {
    struct planner *p = context;
    if (a->act == ACT_THREAD_END) {
        p->lane[a->thread].ended = true;
        return;
    }
    struct planned *o = planned_of(p, a->object);
    if (a->act != ACT_BIRTH && a->pages && o->last && o->last->pages < a->pages)
        o->last->pages = a->pages;
    if (a->act == ACT_PAGES)
        return;
    epoch_enter(p, a, o, now);
    bool reused = o->reused;
    if (a->act == ACT_BIRTH)
        o->slot = slot_take(p, &p->lane[a->thread], &reused);
    enum plan_what what = a->act == ACT_DEATH    ? PLAN_FREE
                          : a->act == ACT_RESIZE ? PLAN_REALLOC
                          : a->zeroed            ? PLAN_CALLOC
                          : a->align_log2        ? PLAN_ALIGNED
                                                 : PLAN_MALLOC;
    struct plan_op *op = op_add(p, a, what, o->slot);
    bool same = o->epoch == p->now && a->act != ACT_BIRTH;
    *o = (struct planned){.slot = o->slot,
                          .epoch = p->now,
                          .writer = a->thread,
                          .moved = a->act == ACT_RESIZE || (same && o->moved),
                          .reused = a->act == ACT_BIRTH ? reused : same && o->reused,
                          .last = op};
    if (a->act == ACT_DEATH)
        slots_push(&p->lane[a->thread].spare, o->slot);
}

/* Most threads alive at once; `order` lists the threads by their first epoch. */
static uint32_t threads_together(const struct planner *p, const uint32_t *order, uint32_t n) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t alive = 0;
        for (uint32_t k = 0; k <= i; k++)
            alive += !p->lane[order[k]].ended || p->lane[order[k]].last_epoch >= p->lane[order[i]].first_epoch;
        most = alive > most ? alive : most;
    }
    return most;
}

static const struct lane_plan *order_lanes;

static int lane_order(const void *a, const void *b) {
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    const struct lane_plan *x = &order_lanes[i], *y = &order_lanes[k];
    return x->first_epoch != y->first_epoch ? (x->first_epoch > y->first_epoch) - (x->first_epoch < y->first_epoch)
                                            : (i > k) - (i < k);
}

/* The head, the threads and the epochs go behind the operations. */
static bool plan_finish(struct planner *p, int fd, const char *base, uint64_t at, struct plan_totals *t) {
    uint32_t *order = xmalloc((p->lanes + 1) * sizeof *order), n = 0;
    for (uint32_t i = 0; i < p->lanes; i++)
        if (p->lane[i].ops)
            order[n++] = i;
    order_lanes = p->lane;
    qsort(order, n, sizeof *order, lane_order);
    struct plan_thread *thread = xmalloc((n + 1) * sizeof *thread);
    for (uint32_t i = 0; i < n; i++) {
        const struct lane_plan *l = &p->lane[order[i]];
        thread[i] =
            (struct plan_thread){(uint64_t)((const char *)l->op - base), l->ops, l->first_epoch, l->ended && i > 0};
    }
    struct plan_head h = {.magic = PLAN_MAGIC,
                          .peak = t->counts.peak,
                          .ops = p->total,
                          .threads = n,
                          .epochs = p->now + 1,
                          .slots = p->slot_next,
                          .together = threads_together(p, order, n),
                          .thread_at = at,
                          .epoch_at = at + n * sizeof *thread};
    *t = (struct plan_totals){p->total, t->counts.peak, h.epochs, h.slots, n, t->counts};
    bool ok = pwrite(fd, thread, n * sizeof *thread, (off_t)h.thread_at) == (ssize_t)(n * sizeof *thread) &&
              pwrite(fd, p->epoch, h.epochs * sizeof *p->epoch, (off_t)h.epoch_at) ==
                  (ssize_t)(h.epochs * sizeof *p->epoch) &&
              pwrite(fd, &h, sizeof h, 0) == sizeof h;
    free(thread);
    free(order);
    return ok;
}

static uint64_t inherited_most(const struct trace_stream *s) {
    uint64_t n = 0;
    for (int depth = 0; (s = s->parent) && depth < 64; depth++)
        n += s->events;
    return n;
}

static void planner_free(struct planner *p) {
    for (size_t i = 0; i < p->lanes; i++)
        free(p->lane[i].spare.at);
    free(p->lane);
    free(p->object);
    free(p->spare.at);
    free(p->active.at);
    free(p->epoch);
}

/* One pass, with room for room[i] operations of thread i; it becomes what the thread has. */
static char *plan_try(const struct trace_file *f, const struct trace_stream *s, const char *dir, uint64_t *room,
                      struct plan_totals *totals, char why[256]) {
    struct planner p = {.lanes = s->threads, .ns = 1e9 / f->ticks, .start = s->start, .epoch_room = 1};
    char *path = xprintf("%s/hakmem-plan-XXXXXX", dir);
    uint64_t at = (sizeof(struct plan_head) + 4095) & ~4095ull, size = at;
    struct statvfs fs;
    p.lane = xmalloc((s->threads + 1) * sizeof *p.lane);
    p.epoch = xmalloc(sizeof *p.epoch);
    *p.epoch = (struct plan_epoch){0};
    for (size_t i = 0; i < s->threads; i++) {
        p.lane[i] = (struct lane_plan){.room = room[i], .last_stamp = s->start};
        size += room[i] * sizeof(struct plan_op);
    }
    int fd = mkstemp(path);
    *why = '\0';
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0 || fstatvfs(fd, &fs) != 0)
        snprintf(why, 256, "%s: %s", dir, strerror(errno));
    else if ((uint64_t)fs.f_bavail * fs.f_frsize < s->events * sizeof(struct plan_op) + (16u << 20))
        snprintf(why, 256, "%s: %s needed for the plan, %s free; give a folder with --scratch DIR", dir,
                 bytes_text((double)s->events * sizeof(struct plan_op)),
                 bytes_text((double)fs.f_bavail * (double)fs.f_frsize));
    char *base = *why ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!*why && base == MAP_FAILED)
        snprintf(why, 256, "%s: %s", dir, strerror(errno));
    if (!*why) {
        uint64_t to = at;
        for (size_t i = 0; i < s->threads; i++, to += p.lane[i - 1].room * sizeof(struct plan_op))
            p.lane[i].op = (struct plan_op *)(void *)(base + to);
        if (!trace_walk(f, s, plan_action, &p, &totals->counts))
            warn("%s: a block is damaged; what comes before it is replayed", f->path);
        if (p.total == 0)
            snprintf(why, 256, "%s: pid %u allocated nothing", f->path, s->pid);
        else if (!plan_finish(&p, fd, base, size, totals))
            snprintf(why, 256, "%s: %s", dir, strerror(errno));
        munmap(base, size);
    }
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < s->threads; i++)
        room[i] = p.lane[i].wanted;
    planner_free(&p);
    if (!*why)
        return path;
    unlink(path);
    free(path);
    return NULL;
}

/* A thread has as many operations as events, as a rule. The end of a first-class heap is many frees: then a second pass is needed. */
char *plan_make(const struct trace_file *f, const struct trace_stream *s, const char *dir, struct plan_totals *totals,
                char why[256]) {
    uint64_t *room = xmalloc((s->threads + 1) * sizeof *room);
    for (size_t i = 0; i < s->threads; i++)
        room[i] = s->thread[i].events + (i == 0 ? inherited_most(s) : 0);
    uint64_t *first = xmalloc((s->threads + 1) * sizeof *first);
    memcpy(first, room, s->threads * sizeof *first);
    char *path = plan_try(f, s, dir, room, totals, why);
    bool short_of = false;
    for (size_t i = 0; i < s->threads; i++)
        short_of |= room[i] > first[i];
    if (path && short_of) {
        unlink(path);
        free(path);
        *totals = (struct plan_totals){0};
        path = plan_try(f, s, dir, room, totals, why);
    }
    free(first);
    free(room);
    return path;
}
