/* trace_file.h : a recording on disk: compressed blocks, each complete in itself, so that a cut file is readable up to the cut.
 *
 *   "HAKTRC2\n" | block | block | ...        block = struct block_head, then `packed` bytes of zstd (checksummed)
 *
 * Kinds: PROCESS (JSON: one process image), EVENTS (one thread's events in columns), SAMPLES (JSON: memory over time), END (JSON: the
 * clock and totals; a recording without it was cut). Numbers are little-endian, as the machines are that hakmem runs on. */
#ifndef TRACE_FILE_H
#define TRACE_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../record/record_wire.h"

#define TRACE_MAGIC "HAKTRC2\n" /* with its version, one character */

enum trace_kind { TRACE_PROCESS = 1, TRACE_EVENTS, TRACE_SAMPLES, TRACE_END };

struct trace_event {
    uint64_t stamp; /* orders it: not later than it was */
    uint64_t time;  /* when it was, as well as is known; of a thread, in order */
    uint64_t addr, size;
    uint8_t op; /* enum wire_op, of those with an addr, and neither WIRE_BRIEF nor WIRE_WIDE */
    uint8_t align_log2;
};

struct block_head {
    uint32_t magic, kind, stream, thread, seq, count, raw, packed;
    uint64_t base; /* stamp before the first event */
};

/* Writing. Each call returns 0 or an errno; the first failure sticks. */
struct trace_writer {
    FILE *file;
    int error;
    uint64_t bytes, events, blocks;
    void *zstd;
    unsigned char *raw, *packed;
    size_t raw_room, packed_room;
    bool hurried;
};
int trace_create(struct trace_writer *w, const char *path);
int trace_put_events(struct trace_writer *w, uint32_t stream, struct wire_slot *slot);
int trace_put_json(struct trace_writer *w, enum trace_kind kind, uint32_t stream, const json_t *value);
/* The program writes faster than we pack: pack less tightly. */
void trace_hurry(struct trace_writer *w, bool behind);
int trace_finish(struct trace_writer *w);

/* Packing of events into columns (trace_codec.c). */
/* Takes the words away: they are 0 after. */
size_t trace_encode(_Atomic uint64_t *word, size_t n, unsigned char *out, uint32_t *count);
size_t trace_encode_room(size_t n);
struct trace_pace {
    uint64_t base,
        sparse; /* stamp before the first event; stamps between events that are too far apart to guess at times */
};
bool trace_decode(const unsigned char *in, size_t size, const struct trace_pace *pace, struct trace_event *out,
                  uint32_t count);

/* Reading. */
struct trace_block {
    uint64_t at, base;
    uint32_t raw, packed, count, seq;
};
struct trace_thread {
    uint32_t id;
    size_t blocks, room;
    struct trace_block *block;
    uint64_t events; /* at most: not all are operations */
};
struct trace_stream {
    uint32_t id, pid;
    bool forked;
    uint64_t start, parent_start, sparse;
    struct trace_stream *parent; /* the image it was forked from, if recorded */
    const char *exe;
    json_t *meta, *samples;
    size_t threads;
    struct trace_thread *thread;
    uint64_t events;
};
struct trace_file {
    int fd;
    const char *path;
    size_t streams;
    struct trace_stream *stream;
    json_t *end;        /* NULL: the recording was cut */
    double ticks;       /* stamps a second */
    uint64_t cut_bytes; /* unreadable rest */
};

/* Reads the index of a recording. false: why[] says what is wrong with the file. */
bool trace_open(struct trace_file *f, const char *path, char why[256]);
void trace_close(struct trace_file *f);
/* The stream that `name` means: a PID, "N" of the list, part of the program's name; NULL: the one with most events. */
struct trace_stream *trace_pick(const struct trace_file *f, const char *name);
/* The program's file name without its folders. */
const char *trace_name(const struct trace_stream *s);

/* All events of a stream in order of their stamps. */
struct trace_cursor;
struct trace_cursor *trace_cursor_open(const struct trace_file *f, const struct trace_stream *s);
/* The next event and its thread (index into stream.thread); NULL at the end. bad is set if a block does not decode. */
const struct trace_event *trace_cursor_next(struct trace_cursor *c, uint32_t *thread);
bool trace_cursor_bad(const struct trace_cursor *c);
void trace_cursor_close(struct trace_cursor *c);

/* malloc that ends the program with a clear message when there is no memory. */
void *trace_alloc(void *old, size_t size) __attribute__((returns_nonnull));

#endif
