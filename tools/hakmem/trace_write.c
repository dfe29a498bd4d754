/* trace_write.c : appends blocks to a recording. */
#include "trace_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* A level up is 10 to 25 % more of the collector's instructions for 4 to 12 % fewer bytes. */
enum { TRACE_LEVEL = -1, TRACE_LEVEL_HURRIED = -20 };
#define BLOCK_MAGIC 0x314b4248u /* "HBK1" */

static int writer_fail(struct trace_writer *w, int error) {
    if (!w->error)
        w->error = error ? error : EIO;
    return w->error;
}

static void writer_bytes(struct trace_writer *w, const void *data, size_t size) {
    if (!w->error && fwrite(data, 1, size, w->file) != size)
        writer_fail(w, errno);
    w->bytes += size;
}

int trace_create(struct trace_writer *w, const char *path) {
    *w = (struct trace_writer){.file = fopen(path, "wbe")};
    if (!w->file)
        return writer_fail(w, errno);
    ZSTD_CCtx *z = ZSTD_createCCtx();
    if (!z)
        return writer_fail(w, ENOMEM);
    ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, TRACE_LEVEL);
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    w->zstd = z;
    writer_bytes(w, TRACE_MAGIC, 8);
    return w->error;
}

void trace_hurry(struct trace_writer *w, bool behind) {
    if (behind != w->hurried)
        ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, behind ? TRACE_LEVEL_HURRIED : TRACE_LEVEL);
    w->hurried = behind;
}

static void writer_block(struct trace_writer *w, struct block_head *h, const void *raw, size_t size) {
    size_t room = ZSTD_compressBound(size);
    if (room > w->packed_room)
        w->packed = trace_alloc(w->packed, w->packed_room = room);
    size_t packed = ZSTD_compress2(w->zstd, w->packed, w->packed_room, raw, size);
    if (ZSTD_isError(packed)) {
        writer_fail(w, EIO);
        return;
    }
    h->magic = BLOCK_MAGIC;
    h->raw = (uint32_t)size;
    h->packed = (uint32_t)packed;
    writer_bytes(w, h, sizeof *h);
    writer_bytes(w, w->packed, packed);
    w->blocks++;
}

int trace_put_events(struct trace_writer *w, uint32_t stream, struct wire_slot *slot) {
    struct block_head h = {
        .kind = TRACE_EVENTS, .stream = stream, .thread = slot->thread, .seq = slot->seq, .base = slot->base};
    size_t room = trace_encode_room(WIRE_WORDS);
    if (room > w->raw_room)
        w->raw = trace_alloc(w->raw, w->raw_room = room);
    size_t size = trace_encode(slot->word, WIRE_WORDS, w->raw, &h.count);
    if (h.count)
        writer_block(w, &h, w->raw, size);
    w->events += h.count;
    return w->error;
}

int trace_put_json(struct trace_writer *w, enum trace_kind kind, uint32_t stream, const json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT);
    if (!text)
        return writer_fail(w, ENOMEM);
    struct block_head h = {.kind = kind, .stream = stream};
    writer_block(w, &h, text, strlen(text));
    free(text);
    return w->error;
}

int trace_finish(struct trace_writer *w) {
    if (w->file && fclose(w->file) != 0)
        writer_fail(w, errno);
    ZSTD_freeCCtx(w->zstd);
    free(w->raw);
    free(w->packed);
    w->file = NULL;
    return w->error;
}
