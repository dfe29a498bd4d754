/* ops.c : a stream of bytes is a program of allocator calls; a shadow model knows what each must give. One file, two uses:
 *   a libFuzzer target (FUZZ_LIBFUZZER: clang -fsanitize=fuzzer links main), coverage-guided
 *   a driver of its own: ops [seconds [seed]] runs random streams for that time; ops FILE... runs streams from files (a crash found) */
#include "stress/alloc.h"

enum { SLOTS = 192, SHIFT_MAX = 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stream {
    const uint8_t *at, *end;
};

static struct stress_block slot[SLOTS];
static uint64_t marks;

static unsigned next_byte(struct stream *s) { return s->at < s->end ? *s->at++ : 0; }

/* A size from two bytes: exponent and mantissa, so that every class and its edges are a few bits away. */
static size_t next_size(struct stream *s) {
    unsigned e = next_byte(s), m = next_byte(s), shift = e % (SHIFT_MAX + 1);
    shift -= shift > 16 && m % 16 ? 10 : 0; /* megabytes are rare: they cost page faults, not surprises */
    size_t base = (size_t)1 << shift;
    switch (e >> 6) {
    case 0:
        return base;
    case 1:
        return base + (base * m >> 8);
    case 2:
        return base > m % 20 ? base - m % 20 : base;
    default:
        return base + m % 20;
    }
}

/* What nobody else holds: no live block may share a byte with the new one, its usable size included. */
static void check_apart(const struct stress_block *b, size_t usable) {
    for (size_t i = 0; i < SLOTS; i++) {
        const struct stress_block *other = &slot[i];
        if (other->at && other != b) {
            CHECK(b->at + usable <= other->at || other->at + other->size <= b->at);
        }
    }
}

static void admit(struct stress_block *b, void *p, size_t n, size_t alignment) {
    REQUIRE(p != NULL);
    size_t usable = malloc_usable_size(p);
    CHECK(usable >= n);
    CHECK(is_aligned(p, alignment));
    b->at = p;
    b->size = n ? n : 1;
    b->mark = ++marks * UINT64_C(0x9E3779B97F4A7C15);
    if (n || usable) {
        check_apart(b, usable);
        stress_fill(b);
    }
}

static size_t natural(size_t n) { return n >= 16 ? 16 : 8; }

static void op_calloc(struct stress_block *b, size_t n) {
    unsigned char *p = calloc(n, 1);
    REQUIRE(p != NULL);
    CHECK(n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0));
    admit(b, p, n, natural(n));
}

static void op_realloc(struct stress_block *b, size_t n, bool array) {
    struct stress_block old = *b;
    unsigned char *p = array ? reallocarray(old.at, n ? n : 1, 1) : realloc(old.at, n ? n : 1);
    REQUIRE(p != NULL);
    if (old.at) {
        struct stress_block moved = {p, old.size, old.mark};
        CHECK(stress_intact(&moved, old.size < n ? old.size : n ? n : 1));
    }
    b->at = NULL;
    admit(b, p, n ? n : 1, natural(n));
}

static void op_aligned(struct stress_block *b, size_t n, unsigned shift, bool posix) {
    size_t alignment = (size_t)8 << shift % 18;
    void *p = NULL;
    if (posix) {
        CHECK(posix_memalign(&p, alignment, n) == 0);
    } else {
        p = aligned_alloc(alignment, n);
    }
    admit(b, p, n, alignment);
}

static void op_free(struct stress_block *b, unsigned how) {
    if (how % 3 && b->at) {
        CHECK(stress_intact(b, b->size));
        if (how % 3 == 1) {
            CHECK(realloc(b->at, hide_size(0)) == NULL);
        } else {
            errno = 4242;
            free(b->at);
            CHECK(errno == 4242);
        }
        b->at = NULL;
        return;
    }
    stress_free(b);
}

static void op_absurd(struct stress_block *b, unsigned how) {
    size_t n = SIZE_MAX >> (how % 6 == 5 ? 4 : how % 2);
    n -= (size_t)how * 64;
    errno = 0;
    void *p = how & 128 && b->at ? realloc(b->at, hide_size(n))
              : how & 64         ? calloc(hide_size(n), 3)
                                 : malloc(hide_size(n));
    CHECK(p == NULL && errno == ENOMEM);
    CHECK(!b->at || stress_intact(b, b->size));
}

static void run_ops(struct stream *s, size_t limit);

struct hop {
    struct stream *stream;
    size_t limit;
};

static void *in_thread(void *arg) {
    struct hop *h = arg;
    run_ops(h->stream, h->limit);
    return NULL;
}

/* The next operations run in another thread while this one waits: frees become remote, threads end with blocks alive. */
static void op_thread(struct stream *s, size_t limit, size_t left) {
    static int depth;
    if (depth == 0) {
        depth = 1;
        struct hop h = {s, limit < left ? limit : left};
        pthread_join(stress_start(in_thread, &h), NULL);
        depth = 0;
    }
}

static void one_op(struct stream *s, size_t left) {
    unsigned op = next_byte(s);
    struct stress_block *b = &slot[next_byte(s) % SLOTS];
    if (b->at && op % 16 < 9) { /* an occupied slot is emptied, or it would leak */
        op_free(b, op >> 4);
        return;
    }
    size_t n;
    switch (op % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
        n = next_size(s);
        admit(b, malloc(n), n, natural(n));
        return;
    case 4:
        admit(b, malloc(0), 0, 1);
        return;
    case 5:
    case 6:
        op_calloc(b, next_size(s));
        return;
    case 7:
    case 8:
        op_aligned(b, next_size(s), next_byte(s), op >> 7);
        return;
    case 9:
    case 10:
    case 11:
        op_realloc(b, next_size(s), op >> 7);
        return;
    case 12:
        op_absurd(b, next_byte(s));
        return;
    case 13:
        op_thread(s, next_byte(s), left);
        return;
    case 14:
        if (op >> 4 == 0) {
            malloc_trim(0);
        }
        return;
    default:
        op_free(b, op >> 4);
        return;
    }
}

static void run_ops(struct stream *s, size_t limit) {
    for (; limit > 0 && s->at < s->end; limit--) {
        one_op(s, limit);
    }
}

static void run_stream(const uint8_t *data, size_t size) {
    struct stream s = {data, data + size};
    while (s.at < s.end) {
        run_ops(&s, 4096);
        stress_verify();
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    stress_verify();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    run_stream(data, size);
    if (check_failures) {
        abort(); /* what libFuzzer takes as a finding */
    }
    return 0;
}

#ifndef FUZZ_LIBFUZZER
enum { STREAM_MAX = 1 << 16 };
static uint8_t stream_bytes[STREAM_MAX];

static void run_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(2);
    }
    size_t n = fread(stream_bytes, 1, sizeof stream_bytes, f);
    fclose(f);
    LLVMFuzzerTestOneInput(stream_bytes, n);
}

/* On a failure the stream is kept, so that it can be run again and cut down. */
static void on_abort(void) {
    FILE *f = fopen("fuzz-ops.failed", "wb");
    if (f) {
        fwrite(stream_bytes, 1, sizeof stream_bytes, f);
        fclose(f);
    }
}

static void run_random(double seconds, uint64_t seed) {
    double until = stress_now() + seconds;
    size_t streams = 0, bytes = 0;
    while (stress_now() < until) {
        uint64_t start = seed;
        size_t n = check_random_size(&seed, 16, STREAM_MAX);
        for (size_t i = 0; i < n; i++) {
            stream_bytes[i] = (uint8_t)(check_random(&seed) >> 32);
        }
        if (n < STREAM_MAX) {
            memset(stream_bytes + n, 0, STREAM_MAX - n);
        }
        run_stream(stream_bytes, n);
        if (check_failures) {
            fprintf(stderr, "stream of %zu bytes, seed 0x%llx; kept in fuzz-ops.failed\n", n,
                    (unsigned long long)start);
            on_abort();
            return;
        }
        streams++;
        bytes += n;
    }
    printf("%zu streams, %zu bytes\n", streams, bytes);
}

int main(int argc, char **argv) {
    check_start();
    char *end = NULL;
    double seconds = argc > 1 ? strtod(argv[1], &end) : 5;
    if (end && *end) {
        for (int i = 1; i < argc; i++) {
            run_file(argv[i]);
        }
        return check_done();
    }
    run_random(seconds, argc > 2 ? strtoull(argv[2], NULL, 0) : check_seed());
    return check_done();
}
#endif
