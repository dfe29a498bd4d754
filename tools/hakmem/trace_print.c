/* trace_print.c : a summary as text for people. */
#include "trace_summary.h"
#include "util.h"

#include <string.h>

static double get(const json_t *j, const char *key) { return json_number_value(json_object_get(j, key)); }

const char *size_text(double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    static char text[24];
    size_t u = 0;
    for (; bytes >= 1024 && u < 4; u++)
        bytes /= 1024;
    snprintf(text, sizeof text, "%.5g %s", bytes, units[u]);
    return text;
}

static void bar(FILE *to, double share) {
    static const char full[] = "########################################";
    fprintf(to, " %.*s\n", (int)(share * 40 + 0.5), full);
}

static double most(const json_t *rows, const char *key) {
    double top = 1;
    for (size_t i = 0; i < json_array_size(rows); i++)
        top = get(json_array_get(rows, i), key) > top ? get(json_array_get(rows, i), key) : top;
    return top;
}

static void print_sizes(const json_t *summary, FILE *to) {
    const json_t *rows = json_object_get(summary, "sizes");
    double top = most(rows, "blocks");
    fprintf(to, "\nsizes               blocks       bytes  live at peak\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *r = json_array_get(rows, i);
        fprintf(to, "%11s %13s %11s %13s ", size_text(get(r, "to")), count_text(get(r, "blocks")),
                bytes_text(get(r, "bytes")), count_text(get(r, "live_at_peak")));
        bar(to, get(r, "blocks") / top);
    }
    fprintf(to, "most frequent:");
    rows = json_object_get(summary, "top_sizes");
    for (size_t i = 0; i < json_array_size(rows) && i < 8; i++)
        fprintf(to, " %.0f B (%s)", get(json_array_get(rows, i), "size"),
                count_text(get(json_array_get(rows, i), "blocks")));
    fprintf(to, "\n");
}

static void print_lifetimes(const json_t *summary, FILE *to) {
    const json_t *rows = json_object_get(summary, "lifetimes");
    double top = most(rows, "blocks");
    fprintf(to, "\nlifetime            blocks       bytes\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *r = json_array_get(rows, i), *edge = json_object_get(r, "below_seconds");
        if (get(r, "blocks") <= 0)
            continue;
        char label[32];
        snprintf(label, sizeof label, json_is_null(edge) ? "longer" : "< %s", seconds_text(json_number_value(edge)));
        fprintf(to, "%11s %13s %11s ", label, count_text(get(r, "blocks")), bytes_text(get(r, "bytes")));
        bar(to, get(r, "blocks") / top);
    }
    fprintf(to, "%11s %13s %11s\n", "never freed", count_text(get(summary, "live_at_end_blocks")),
            bytes_text(get(summary, "live_at_end_bytes")));
}

static void print_schemes(const json_t *summary, FILE *to) {
    const json_t *rows = json_object_get(summary, "schemes");
    fprintf(to, "\nwaste by size-class scheme            at peak            of all\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *r = json_array_get(rows, i);
        fprintf(to, "%9s %11s  +%5.2f %%      +%5.2f %%   %s\n", json_string_value(json_object_get(r, "scheme")),
                bytes_text(get(r, "bytes_at_peak")), get(r, "waste_at_peak") * 100, get(r, "waste_of_all") * 100,
                json_string_value(json_object_get(r, "text")));
    }
}

void summary_print(const json_t *s, FILE *to) {
    const json_t *cross = json_object_get(s, "cross_thread"), *args = json_object_get(s, "args");
    fprintf(to, "%s (pid %.0f%s):", json_string_value(json_object_get(s, "program")), get(s, "pid"),
            json_is_true(json_object_get(s, "forked")) ? ", forked" : "");
    for (size_t i = 0; i < json_array_size(args) && i < 12; i++)
        fprintf(to, " %.60s", json_string_value(json_array_get(args, i)));
    fprintf(to, "\n");
    if (!json_is_true(json_object_get(s, "whole")))
        fprintf(to, "the recording was cut: figures are those up to the cut\n");
    fprintf(to, "  peak live    %s in %s blocks, after %s\n", bytes_text(get(s, "peak_live_bytes")),
            count_text(get(s, "peak_live_blocks")), seconds_text(get(s, "peak_at_seconds")));
    fprintf(to, "  allocated    %s in %s blocks by %.0f threads; %s reallocs, %s callocs, %s aligned\n",
            bytes_text(get(s, "requested_bytes")), count_text(get(s, "blocks")), get(s, "threads"),
            count_text(get(s, "reallocs")), count_text(get(s, "callocs")), count_text(get(s, "aligned")));
    fprintf(to, "  freed by another thread   %s blocks, %s, %.2f %% of all frees\n", count_text(get(cross, "blocks")),
            bytes_text(get(cross, "bytes")), get(cross, "share") * 100);
    const json_t *large = json_object_get(s, "large_blocks");
    if (get(large, "counted") > 0)
        fprintf(to, "  large blocks %s of 32 KiB and more, %s, of which %s never touched\n",
                count_text(get(large, "counted")), bytes_text(get(large, "bytes")),
                bytes_text(get(large, "untouched_bytes")));
    if (get(s, "inherited_blocks") > 0)
        fprintf(to, "  inherited    %s blocks at fork\n", count_text(get(s, "inherited_blocks")));
    if (get(s, "unknown_frees") + get(s, "missed_frees") > 0)
        fprintf(to, "  not matched  %s frees of blocks whose birth was not seen, %s blocks whose free was not seen\n",
                count_text(get(s, "unknown_frees")), count_text(get(s, "missed_frees")));
    print_sizes(s, to);
    print_lifetimes(s, to);
    print_schemes(s, to);
}
