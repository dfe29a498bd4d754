/* record_file.c : the file that this process image writes its events to.
 * Owns       the mapping, the slots' states up to FULL
 * Threads    any; a slot is claimed by compare-and-swap and then belongs to one thread
 * Invariant  lane.generation == record_live->generation exactly when the lane points into this image's file */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct record_live no_file = {.generation = 0};
struct record_live *record_live = &no_file;
static _Atomic uint64_t no_limit;
__thread struct lane record_lane = {.limit = &no_limit, .tag = (uint32_t)REGION_NO_TAG << 8};
uint64_t record_fork_stamp;

int wire_by_clock;
static struct wire_head *head;
static struct wire_common *common;
static char dir[WIRE_PATH];
static uint32_t slots_wanted;
static uint32_t generations; /* images of this memory: grows at each fork seen */
static _Atomic uint32_t opening;
static int off = 1;

enum { WAIT_ROUND = 8192 }; /* naps, some two seconds */

struct wire_head *record_head(void) {
    return head;
}

int record_on(void) { return !off; }

/* Makes pages of the file exist. 0 if the scratch folder is full: touching them would end the program with SIGBUS. Kernels before 5.14
 * cannot say, and are trusted. */
int record_populate(void *at, size_t size) {
#ifdef MADV_POPULATE_WRITE
    int saved = errno, ok = madvise(at, size, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
    errno = saved;
    return ok;
#else
    (void)at;
    (void)size;
    return 1;
#endif
}

static struct wire_slot *slot_at(uint32_t i) {
    return (struct wire_slot *)((char *)head + WIRE_SLOTS_AT + (uint64_t)i * WIRE_SLOT_BYTES);
}

static size_t file_read(const char *path, char *to, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, to, size);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static void head_fill(struct wire_head *h, uint32_t slots, const struct wire_head *before) {
    h->pid = (uint32_t)getpid();
    h->ppid = (uint32_t)getppid();
    h->slots = slots;
    h->start = record_fork_stamp ? record_fork_stamp : wire_stamp();
    record_fork_stamp = 0;
    if (before) {
        h->forked = 1;
        h->parent_start = before->start;
        h->ppid = before->pid;
    }
    ssize_t n = readlink("/proc/self/exe", h->exe, sizeof h->exe - 1);
    if (n < 0)
        h->exe[0] = '\0';
    file_read("/proc/self/cmdline", h->args, sizeof h->args - 2);
    h->magic = WIRE_MAGIC;
    atomic_store_explicit(&h->ready, 1, memory_order_release); /* rel: pairs with the parent's first look */
}

/* Maps a fresh file for this process; fewer slots where address space is short. */
static int file_open(const struct wire_head *before) {
    char path[WIRE_PATH + 64];
    int saved = errno, ok = 0;
    snprintf(path, sizeof path, "%s/%d-%llx", dir, (int)getpid(), (unsigned long long)wire_stamp());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    for (uint32_t slots = slots_wanted; fd >= 0 && slots >= WIRE_SLOTS_MIN && !ok; slots /= 2) {
        if (ftruncate(fd, (off_t)wire_file_bytes(slots)) != 0)
            break;
        void *at = mmap(NULL, wire_file_bytes(slots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED)
            continue;
        madvise(at, wire_file_bytes(slots), MADV_DONTDUMP);
        if (!record_populate(at, WIRE_LARGE_AT)) {
            munmap(at, wire_file_bytes(slots));
            break;
        }
        head = at;
        head_fill(head, slots, before);
        record_large_reset((struct wire_large *)((char *)at + WIRE_LARGE_AT));
        ok = 1;
    }
    if (fd >= 0)
        close(fd);
    errno = saved;
    return ok;
}

static int common_open(void) {
    char path[WIRE_PATH + 64];
    snprintf(path, sizeof path, "%s/" WIRE_COMMON, dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    common = at == MAP_FAILED ? NULL : at;
    return common != NULL;
}

void record_file_start(void) {
    const char *d = getenv(WIRE_ENV_DIR);
    if (!d || strlen(d) >= sizeof dir)
        return;
    memcpy(dir, d, strlen(d) + 1);
    const char *n = getenv(WIRE_ENV_SLOTS);
    wire_by_clock = getenv(WIRE_ENV_CLOCK) != NULL;
    slots_wanted = n ? (uint32_t)strtoul(n, NULL, 10) : WIRE_SLOTS_MAX;
    if (slots_wanted < WIRE_SLOTS_MIN || slots_wanted > WIRE_SLOTS_MAX)
        slots_wanted = WIRE_SLOTS_MAX;
    void *page = mmap(NULL, sizeof *record_live, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || madvise(page, sizeof *record_live, MADV_WIPEONFORK) != 0 || !common_open() ||
        !file_open(NULL))
        return;
    record_live = page;
    record_live->generation = generations = 1;
    off = 0;
}

/* The first event of a forked child comes here: it gets a file of its own; its parent's is left to the parent. */
static void file_refork(void) {
    uint32_t idle = 0;
    while (!atomic_compare_exchange_weak_explicit(&opening, &idle, 1, memory_order_acquire, memory_order_relaxed)) {
        idle = 0;
        sched_yield();
    }
    if (record_live->generation == 0) {
        struct wire_head *before = head;
        size_t size = wire_file_bytes(before->slots);
        if (!file_open(before)) {
            off = 1;
            atomic_fetch_add_explicit(&common->unrecorded, 1, memory_order_relaxed);
        }
        munmap(before, size);
        record_live->generation = ++generations;
    }
    atomic_store_explicit(&opening, 0, memory_order_release); /* rel: pairs with the exchange above */
}

/* whole: all its pages at once, as for a thread that writes much. */
static int slot_claim(uint32_t *at, int whole) {
    uint32_t slots = atomic_load_explicit(&head->narrow, memory_order_relaxed) ? WIRE_SLOTS_MIN : head->slots;
    for (uint32_t i = 0; i < slots; i++) {
        uint32_t seen = atomic_load_explicit(&head->state[i], memory_order_relaxed);
        /* acq: pairs with the parent's release of a cleared slot */
        if ((seen != WIRE_FREE_SLOT && seen != WIRE_WARM_SLOT) ||
            !atomic_compare_exchange_strong_explicit(&head->state[i], &seen, WIRE_CLAIMED_SLOT, memory_order_acquire,
                                                     memory_order_relaxed))
            continue;
        *at = i;
        if (seen == WIRE_WARM_SLOT || !whole || record_populate(slot_at(i), WIRE_SLOT_BYTES))
            return 1;
        atomic_store_explicit(&head->state[i], WIRE_FREE_SLOT, memory_order_release);
        return 0;
    }
    return 0;
}

/* Is there nobody any more who takes slots away? A PID alone does not say: it may be one of another namespace. */
static int recorder_gone(uint32_t looks_before) {
    pid_t pid = (pid_t)atomic_load_explicit(&head->recorder, memory_order_relaxed);
    return atomic_load_explicit(&head->looks, memory_order_relaxed) == looks_before &&
           (pid == 0 || (kill(pid, 0) != 0 && errno == ESRCH));
}

/* Waits for the recorder to take slots away; gives up, once and for all, when it has ended. */
static int slot_wait(uint32_t *at, int whole) {
    struct timespec nap = {.tv_nsec = 200000};
    uint32_t looks = atomic_load_explicit(&head->looks, memory_order_relaxed);
    for (unsigned n = 1; !slot_claim(at, whole || atomic_load_explicit(&head->narrow, memory_order_relaxed)); n++) {
        if (atomic_load_explicit(&head->parent_gone, memory_order_relaxed))
            return 0;
        if (n % WAIT_ROUND == 0) {
            if (recorder_gone(looks))
                atomic_store_explicit(&head->parent_gone, 1, memory_order_relaxed);
            looks = atomic_load_explicit(&head->looks, memory_order_relaxed);
        }
        nanosleep(&nap, NULL);
    }
    return 1;
}

static void lane_nowhere(struct lane *l) {
    l->next = l->end = NULL;
    l->limit = &no_limit;
    l->tag = (uint32_t)REGION_NO_TAG << 8;
}

static void lane_end_slot(struct lane *l) {
    if (!l->next || l->generation != record_live->generation)
        return;
    lane_nowhere(l);
    /* rel: pairs with the parent's look for full slots */
    atomic_store_explicit(&head->state[l->slot], WIRE_FULL_SLOT, memory_order_release);
}

void record_lane_close(struct lane *l) { lane_end_slot(l); }

void record_stamp_all(void) {
    for (uint32_t i = 0; head && i < head->slots; i++)
        if (atomic_load_explicit(&head->state[i], memory_order_relaxed) == WIRE_OPEN_SLOT)
            atomic_store_explicit(&slot_at(i)->limit, 0, memory_order_relaxed);
}

static void lane_begin(struct lane *l) {
    lane_nowhere(l);
    l->generation = record_live->generation;
    l->thread = atomic_fetch_add_explicit(&head->threads, 1, memory_order_relaxed);
    l->tid = (uint32_t)syscall(SYS_gettid);
    l->seq = 0;
    l->near = 1;
    record_thread_begins(l);
}

static void lane_enter_slot(struct lane *l) {
    struct wire_slot *s = slot_at(l->slot);
    s->thread = l->thread;
    s->tid = l->tid;
    s->seq = l->seq++;
    s->base = l->last = wire_stamp();
    l->tag = (l->thread % (REGION_NO_TAG - 1) + 1) << 8;
    l->next = l->start = s->word;
    l->end = s->word + WIRE_WORDS - WIRE_WIDE_WORDS - 1; /* a stamp and a wide event */
    l->limit = &s->limit;
    atomic_store_explicit(l->limit, (uint64_t)(uintptr_t)(l->next + l->near), memory_order_relaxed);
    /* rel: pairs with the parent's look for slots to have stamped */
    atomic_store_explicit(&head->state[l->slot], WIRE_OPEN_SLOT, memory_order_release);
}

int record_lane_room(struct lane *l) {
    int saved = errno, ok = 1;
    if (record_live->generation == 0 && !off)
        file_refork();
    if (off)
        return 0;
    if (l->generation != record_live->generation)
        lane_begin(l);
    if (l->next && l->next <= l->end)
        return 1;
    lane_end_slot(l);
    if ((ok = slot_wait(&l->slot, l->seq > 0)))
        lane_enter_slot(l);
    else
        atomic_fetch_add_explicit(&head->lost, 1, memory_order_relaxed);
    errno = saved;
    return ok;
}
