/* ext_stats.c : hakmem.h: exact totals, per-site totals, malloc_info as XML.                                   hakmem only */
#include "conformance/family.h"
#include "hakmem/hakmem.h"
#include <pthread.h>
#include <stdint.h>

enum { MANY = 3000 };

/* allocated is exact: the sum of usable sizes, whatever thread frees. */
static void *free_all(void *arg) {
    void **block = arg;
    for (int i = 0; i < MANY; i++) {
        free(block[i]);
    }
    return NULL;
}

static void exact(void) {
    static void *block[MANY];
    uint64_t seed = check_seed();
    struct hak_stats before, mid, after;
    hak_stats_get(&before);
    size_t sum = 0;
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc(check_random_size(&seed, 1, i % 50 ? 20000 : 3000000));
        REQUIRE(block[i] != NULL);
        sum += malloc_usable_size(block[i]);
    }
    hak_stats_get(&mid);
    CHECK(mid.allocated == before.allocated + sum);
    CHECK(mid.active >= mid.allocated);
    CHECK(mid.mapped >= mid.active);
    CHECK(mid.resident >= mid.metadata && mid.metadata > 0);
    CHECK(mid.fragmented <= mid.cached_central);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, free_all, block) == 0);
    pthread_join(t, NULL);
    hak_stats_get(&after);
    CHECK(after.allocated <= before.allocated + 4096); /* what pthread_create may have left */
    CHECK(after.lazyfree == 0);
}

static void thread_cache_is_counted(void) {
    void *block[100];
    for (int i = 0; i < 100; i++) {
        block[i] = malloc(64);
    }
    for (int i = 0; i < 100; i++) {
        free(block[i]);
    }
    struct hak_stats s, idle;
    hak_stats_get(&s);
    CHECK(s.cached_thread >= 64);
    hak_thread_idle();
    hak_stats_get(&idle);
    CHECK(idle.cached_thread < s.cached_thread);
    CHECK(idle.allocated == s.allocated);
}

static const struct hak_site *site_of(const struct hak_site *all, size_t n, const void *site) {
    for (size_t i = 0; i < n; i++) {
        if (all[i].site == site) {
            return &all[i];
        }
    }
    return NULL;
}

static void sites(void) {
    static const char here[] = "ext_stats.c:here", there[] = "ext_stats.c:there";
    void *block[300];
    for (int i = 0; i < 300; i++) {
        block[i] = hak_alloc_at(100, i % 3 ? here : there);
        REQUIRE(block[i] != NULL);
    }
    size_t freed = 0;
    for (int i = 0; i < 300; i++) {
        if (i % 3 && i % 2) {
            freed += malloc_usable_size(block[i]);
            hak_free_at(block[i], here);
        } else {
            free(block[i]); /* allowed, and not counted at a site */
        }
    }
    static struct hak_site all[4096];
    size_t n = hak_sites(all, 4096);
    CHECK(n >= 2);
    const struct hak_site *a = site_of(all, n < 4096 ? n : 4096, here), *b = site_of(all, n < 4096 ? n : 4096, there);
    REQUIRE(a != NULL && b != NULL);
    CHECK(a->allocs == 200 && a->alloc_bytes == 20000);
    CHECK(a->frees == 100 && a->free_bytes == freed);
    CHECK(b->allocs == 100 && b->alloc_bytes == 10000 && b->frees == 0);
    CHECK(hak_sites(NULL, 0) == n);
    errno = 0;
    CHECK(hak_alloc_at(SIZE_MAX, here) == NULL && errno == ENOMEM);
    errno = 4242;
    hak_free_at(NULL, here);
    CHECK(errno == 4242);
}

/* More sites than any table holds: none is lost, the rest is counted under NULL. */
static void very_many_sites(void) {
    static char place[200000];
    for (size_t i = 0; i < sizeof place; i++) {
        hak_free_at(hak_alloc_at(16, &place[i]), &place[i]);
    }
    static struct hak_site all[300000];
    size_t n = hak_sites(all, 300000), allocs = 0;
    for (size_t i = 0; i < n && i < 300000; i++) {
        allocs += all[i].allocs;
    }
    CHECK(allocs >= sizeof place);
}

/* Tags must nest and close: what any XML reader would refuse is found without one. */
static bool well_formed(const char *s) {
    char open[16][64];
    int depth = 0, roots = 0;
    for (const char *p = strchr(s, '<'); p; p = strchr(p + 1, '<')) {
        const char *end = strchr(p, '>');
        if (!end || memchr(p + 1, '<', (size_t)(end - p - 1))) {
            return false;
        }
        if (p[1] == '?') {
            continue;
        }
        size_t n = strcspn(p + 1 + (p[1] == '/'), " />\n\t");
        const char *name = p + 1 + (p[1] == '/');
        if (n == 0 || n >= sizeof open[0]) {
            return false;
        }
        if (p[1] == '/') {
            depth--;
            if (depth < 0 || strncmp(open[depth], name, n) != 0 || open[depth][n]) {
                return false;
            }
        } else if (end[-1] != '/') {
            roots += depth == 0;
            if (depth == 16) {
                return false;
            }
            memcpy(open[depth], name, n);
            open[depth++][n] = 0;
        }
    }
    return depth == 0 && roots == 1;
}

static void xml(void) {
    CHECK(well_formed("<a x=\"1\"><b/><c></c></a>") && !well_formed("<a><b></a></b>") && !well_formed("<a>"));
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    REQUIRE(f != NULL);
    CHECK(malloc_info(0, f) == 0);
    fclose(f);
    CHECK(strncmp(text, "<malloc version=\"hakmem-1\"", 26) == 0);
    CHECK(well_formed(text));
    free(text);
}

int main(void) {
    check_start();
    exact();
    thread_cache_is_counted();
    sites();
    very_many_sites();
    xml();
    return check_done();
}
