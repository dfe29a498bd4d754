/* trace_objects.c : see trace_objects.h.
 * Invariant  an address is in the map exactly while its object is live and not inside a realloc; the address of a first-class heap, odd so
 *            that no block has it, leads to the first of its live objects */
#include "trace_objects.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = UINT32_MAX };

struct walker {
    struct trace_object *object;
    uint32_t *spare; /* indexes of dead objects */
    size_t objects, room, spares;
    struct map_entry {
        uint64_t addr;
        uint32_t object;
    } * map;
    size_t map_size, map_used;
    uint32_t *moving; /* by thread: the object inside a realloc */
    uint32_t *moving_pages;
    uint64_t *heap; /* by thread: the first-class heap of its next birth */
    size_t threads;
    uint64_t serial;
    struct trace_counts *counts;
    trace_visit visit;
    void *context;
};

static size_t map_slot(const struct walker *w, uint64_t addr) {
    return (size_t)((addr >> 3) * 0x9e3779b97f4a7c15ull >> 20) & (w->map_size - 1);
}

static struct map_entry *map_find(const struct walker *w, uint64_t addr) {
    size_t i = map_slot(w, addr);
    while (w->map[i].addr && w->map[i].addr != addr)
        i = (i + 1) & (w->map_size - 1);
    return &w->map[i];
}

static void map_put(struct walker *w, uint64_t addr, uint32_t object) {
    if (w->map_used * 2 >= w->map_size) {
        struct map_entry *old = w->map;
        size_t size = w->map_size;
        w->map_size = size ? size * 2 : 4096;
        w->map = trace_alloc(NULL, w->map_size * sizeof *w->map);
        memset(w->map, 0, w->map_size * sizeof *w->map);
        for (size_t i = 0; i < size; i++)
            if (old[i].addr)
                *map_find(w, old[i].addr) = old[i];
        free(old);
    }
    struct map_entry *e = map_find(w, addr);
    w->map_used += e->addr == 0;
    *e = (struct map_entry){addr, object};
}

/* Removes the address and closes the gap in its probe chain. */
static uint32_t map_take(struct walker *w, uint64_t addr) {
    if (!w->map_size)
        return NONE;
    struct map_entry *e = map_find(w, addr);
    if (!e->addr)
        return NONE;
    uint32_t object = e->object;
    size_t mask = w->map_size - 1, hole = (size_t)(e - w->map);
    for (size_t i = (hole + 1) & mask; w->map[i].addr; i = (i + 1) & mask) {
        size_t home = map_slot(w, w->map[i].addr);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            w->map[hole] = w->map[i];
            hole = i;
        }
    }
    w->map[hole].addr = 0;
    w->map_used--;
    return object;
}

static void objects_grow(struct walker *w) {
    w->room = w->room * 2 + 1024;
    w->object = trace_alloc(w->object, w->room * sizeof *w->object);
    w->spare = trace_alloc(w->spare, w->room * sizeof *w->spare);
}

static uint32_t object_new(struct walker *w) {
    if (w->spares)
        return w->spare[--w->spares];
    if (w->objects == w->room)
        objects_grow(w);
    w->counts->objects = w->objects + 1;
    return (uint32_t)w->objects++;
}

static void counts_live(struct trace_counts *c, uint64_t born, uint64_t died, uint64_t stamp) {
    c->live += born - died;
    if (c->live > c->peak) {
        c->peak = c->live;
        c->peak_blocks = c->blocks;
        c->peak_stamp = stamp;
    }
}

static void heap_join(struct walker *w, uint32_t object, uint64_t heap) {
    struct trace_object *o = &w->object[object];
    o->heap = heap;
    o->prev = o->next = NONE;
    if (!heap)
        return;
    const struct map_entry *e = w->map_size ? map_find(w, heap | 1) : NULL;
    if (e && e->addr) {
        o->next = e->object;
        w->object[o->next].prev = object;
    }
    map_put(w, heap | 1, object);
}

static void heap_leave(struct walker *w, struct trace_object *o) {
    if (!o->heap)
        return;
    if (o->next != NONE)
        w->object[o->next].prev = o->prev;
    if (o->prev != NONE)
        w->object[o->prev].next = o->next;
    else if (o->next != NONE)
        map_put(w, o->heap | 1, o->next);
    else
        map_take(w, o->heap | 1);
    o->heap = 0;
}

static void object_dies(struct walker *w, uint32_t object, const struct trace_event *e, uint32_t thread,
                        uint32_t pages) {
    struct trace_object *o = &w->object[object];
    heap_leave(w, o);
    o->live = false;
    w->spare[w->spares++] = object;
    w->counts->deaths++;
    w->counts->blocks--;
    counts_live(w->counts, 0, o->size, e->time);
    if (w->visit)
        w->visit(w->context,
                 &(struct trace_action){.act = ACT_DEATH,
                                        .thread = thread,
                                        .object = object,
                                        .stamp = e->time,
                                        .size = o->size,
                                        .old_size = o->size,
                                        .born = o->born,
                                        .birth_thread = o->thread,
                                        .pages = pages},
                 w->counts);
}

/* All live objects of a heap die. */
static void heap_ends(struct walker *w, const struct trace_event *e, uint32_t thread) {
    for (const struct map_entry *first; w->map_size && (first = map_find(w, e->addr | 1))->addr;) {
        uint32_t object = first->object;
        map_take(w, w->object[object].addr);
        object_dies(w, object, e, thread, 0);
    }
}

static void object_born(struct walker *w, const struct trace_event *e, uint32_t thread, bool inherited, uint64_t heap) {
    uint32_t before = map_take(w, e->addr);
    if (before != NONE) { /* its free went past the recorder */
        w->counts->missed_frees++;
        object_dies(w, before, e, thread, 0);
    }
    uint32_t object = object_new(w);
    struct trace_object *o = &w->object[object];
    *o = (struct trace_object){e->addr, e->size, e->time, w->serial++, 0, NONE, NONE, thread, true};
    map_put(w, e->addr, object);
    heap_join(w, object, heap);
    w->counts->births++;
    w->counts->blocks++;
    w->counts->requested += e->size;
    counts_live(w->counts, e->size, 0, e->time);
    if (w->visit)
        w->visit(w->context,
                 &(struct trace_action){.act = ACT_BIRTH,
                                        .thread = thread,
                                        .object = object,
                                        .stamp = e->time,
                                        .size = e->size,
                                        .born = e->time,
                                        .birth_thread = thread,
                                        .align_log2 = e->align_log2,
                                        .zeroed = e->op == WIRE_CALLOC,
                                        .inherited = inherited},
                 w->counts);
}

static void object_moved(struct walker *w, const struct trace_event *e, uint32_t thread) {
    uint32_t object = w->moving[thread], pages = w->moving_pages[thread];
    w->moving[thread] = NONE;
    if (object == NONE) {
        if (e->addr)
            object_born(w, e, thread, false, 0);
        return;
    }
    struct trace_object *o = &w->object[object];
    if (!e->addr && e->size == 0) {
        object_dies(w, object, e, thread, pages);
        return;
    }
    if (!e->addr) { /* failed: the old block stays */
        map_put(w, o->addr, object);
        return;
    }
    uint32_t before = map_take(w, e->addr);
    if (before != NONE) {
        w->counts->missed_frees++;
        object_dies(w, before, e, thread, 0);
        o = &w->object[object];
    }
    uint64_t old = o->size;
    if (o->addr != e->addr)
        heap_leave(w, o); /* a block that moves goes to the common heap */
    o->addr = e->addr;
    o->size = e->size;
    map_put(w, e->addr, object);
    w->counts->resizes++;
    w->counts->requested += e->size > old ? e->size - old : 0;
    counts_live(w->counts, e->size, old, e->time);
    if (w->visit)
        w->visit(w->context,
                 &(struct trace_action){.act = ACT_RESIZE,
                                        .thread = thread,
                                        .object = object,
                                        .stamp = e->time,
                                        .size = e->size,
                                        .old_size = old,
                                        .born = o->born,
                                        .birth_thread = o->thread,
                                        .pages = pages},
                 w->counts);
}

static void walk_event(struct walker *w, const struct trace_event *e, uint32_t thread) {
    uint32_t object;
    switch (e->op) {
    case WIRE_MALLOC:
    case WIRE_CALLOC:
    case WIRE_ALIGNED:
        object_born(w, e, thread, false, w->heap[thread]);
        w->heap[thread] = 0;
        break;
    case WIRE_HEAP:
        w->heap[thread] = e->addr;
        break;
    case WIRE_HEAP_END:
        heap_ends(w, e, thread);
        break;
    case WIRE_FREE:
        object = map_take(w, e->addr);
        if (object == NONE)
            w->counts->unknown_frees++;
        else
            object_dies(w, object, e, thread, (uint32_t)e->size);
        break;
    case WIRE_REALLOC_OLD:
        w->moving[thread] = map_take(w, e->addr);
        w->moving_pages[thread] = (uint32_t)e->size;
        break;
    case WIRE_REALLOC_NEW:
        object_moved(w, e, thread);
        break;
    case WIRE_PAGES:
        object = w->map_size && map_find(w, e->addr)->addr ? map_find(w, e->addr)->object : NONE;
        if (object != NONE && w->visit)
            w->visit(w->context,
                     &(struct trace_action){.act = ACT_PAGES,
                                            .thread = thread,
                                            .object = object,
                                            .stamp = e->time,
                                            .size = w->object[object].size,
                                            .pages = (uint32_t)e->size},
                     w->counts);
        break;
    case WIRE_THREAD_END:
        if (w->visit)
            w->visit(w->context, &(struct trace_action){.act = ACT_THREAD_END, .thread = thread, .stamp = e->time},
                     w->counts);
        break;
    default:
        break;
    }
}

static void walk_threads(struct walker *w, size_t threads) {
    w->moving = trace_alloc(w->moving, threads * sizeof *w->moving);
    w->moving_pages = trace_alloc(w->moving_pages, threads * sizeof *w->moving_pages);
    w->heap = trace_alloc(w->heap, threads * sizeof *w->heap);
    memset(w->moving, 0xff, threads * sizeof *w->moving);
    memset(w->heap, 0, threads * sizeof *w->heap);
    w->threads = threads;
}

static bool walk_stream(struct walker *w, const struct trace_file *f, const struct trace_stream *s, uint64_t until) {
    uint32_t thread;
    struct trace_cursor *c = trace_cursor_open(f, s);
    struct progress progress;
    if (!w->room)
        objects_grow(w);
    walk_threads(w, s->threads);
    progress_begin(&progress, "reading the recording");
    for (const struct trace_event *e; (e = trace_cursor_next(c, &thread)) && e->stamp < until;) {
        if (w->counts->events++ % 65536 == 0)
            progress_show(&progress, (double)w->counts->events / (double)s->events, trace_name(s));
        walk_event(w, e, thread);
    }
    progress_end(&progress);
    bool bad = trace_cursor_bad(c);
    trace_cursor_close(c);
    return !bad;
}

static int object_order(const void *a, const void *b) {
    const struct trace_object *x = a, *y = b;
    return (x->serial > y->serial) - (x->serial < y->serial);
}

/* What the parent had live when it forked becomes what the child begins with. */
static bool walk_inherited(struct walker *w, const struct trace_file *f, const struct trace_stream *s) {
    struct trace_counts silent = {0};
    struct walker parent = {.counts = &silent};
    bool ok = !s->parent->parent || s->parent->parent == s || walk_inherited(&parent, f, s->parent);
    ok = walk_stream(&parent, f, s->parent, s->start) && ok;
    qsort(parent.object, parent.objects, sizeof *parent.object, object_order);
    for (size_t i = 0; i < parent.objects; i++) {
        const struct trace_object *o = &parent.object[i];
        if (!o->live)
            continue;
        struct trace_event e = {
            .stamp = s->start, .time = s->start, .addr = o->addr, .size = o->size, .op = WIRE_MALLOC};
        object_born(w, &e, 0, true, o->heap);
        w->counts->inherited++;
    }
    free(parent.object);
    free(parent.spare);
    free(parent.map);
    free(parent.moving);
    free(parent.moving_pages);
    free(parent.heap);
    return ok;
}

bool trace_walk(const struct trace_file *f, const struct trace_stream *s, trace_visit visit, void *context,
                struct trace_counts *counts) {
    struct walker w = {.counts = counts, .visit = visit, .context = context};
    *counts = (struct trace_counts){0};
    bool ok = s->threads == 0 || !s->parent || walk_inherited(&w, f, s);
    ok = walk_stream(&w, f, s, UINT64_MAX) && ok;
    free(w.object);
    free(w.spare);
    free(w.map);
    free(w.moving);
    free(w.moving_pages);
    free(w.heap);
    return ok;
}
