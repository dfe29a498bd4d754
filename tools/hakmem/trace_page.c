/* trace_page.c : the page around the charts, and the picture for a paper. The page loads nothing: style, script and drawings are in it. */
#include "trace_report.h"
#include "util.h"

#include <string.h>

static const char *const light[] = {"#0068b5", "#c2410c", "#00795b", "#a3358f", "#5b4bc4", "#8a6100",
                                    "#b3124b", "#3d5a6c", "#4d7c0f", "#0e7490", "#7c2d12", "#475569"};
static const char *const dark[] = {"#63b3ff", "#ff9f5a", "#3ddbb0", "#f08be0", "#a99bff", "#e5b94a",
                                   "#ff7a9e", "#9fc0d6", "#a3d65c", "#5fd6ee", "#e8a58a", "#a9b8cc"};

static const char page_style[] =
    "*{box-sizing:border-box}"
    "html{--bg:#fcfcfb;--fg:#1b1f24;--soft:#59636e;--rule:#d8dcdf;--card:#fff;--go:#00633f;--nogo:#a3141f;--same:#"
    "454f5b;color-scheme:light dark}"
    "@media(prefers-color-scheme:dark){html{--bg:#101418;--fg:#e8ecef;--soft:#a2adb8;--rule:#323a42;--card:#171c22;--"
    "go:#4fdc9e;--nogo:#ff8d8d;--same:#b8c2cc}}"
    "body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--bg);color:var(--fg);font:16px/1.5 "
    "system-ui,sans-serif}"
    "h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.25rem;margin:2rem 0 .25rem}h3{font-size:1rem;margin:0}"
    "p{margin:.4rem 0}.soft,figcaption p{color:var(--soft);font-size:.9rem}"
    "code{font:.85em ui-monospace,monospace;overflow-wrap:anywhere}"
    "figure{margin:1rem 0;padding:.75rem;background:var(--card);border:1px solid var(--rule);border-radius:.5rem}"
    "svg{display:block;width:100%;height:auto;overflow:visible}.narrow{display:none;max-width:36rem;margin:0 auto}"
    "@media(max-width:800px){.wide{display:none}.narrow{display:block}}@media(max-width:600px){body{padding:.5rem}}"
    "details{margin-top:.5rem}summary{cursor:pointer;color:var(--soft);padding:.35rem 0}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.875rem}caption{position:absolute;left:-10000px}"
    "th,td{padding:.2rem .75rem .2rem 0;text-align:left;border-bottom:1px solid "
    "var(--rule);vertical-align:top}th[scope=row]{font-weight:500}"
    ".n{font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".verdict{padding:.5rem .75rem;border-left:.35rem solid var(--same);background:var(--card)}"
    ".go{border-color:var(--go)}.go strong{color:var(--go)}.nogo{border-color:var(--nogo)}.nogo "
    "strong{color:var(--nogo)}"
    ".warn{color:var(--nogo)}:focus-visible{outline:2px solid var(--fg);outline-offset:2px}"
    "nav ul{padding-left:1.2rem}a{color:inherit}"
    ".skip{position:absolute;left:-10000px}.skip:focus{position:static}";

/* Style of the drawings; %s stand for foreground, soft, rule and card colours. */
static void drawing_style(struct text *to, const char *fg, const char *soft, const char *rule, const char *card) {
    text_add(
        to,
        "svg text{font:12px system-ui,Helvetica,Arial,sans-serif;fill:%s;paint-order:stroke;stroke:%s;stroke-width:"
        "3px;stroke-linejoin:round}svg .t{fill:%s;font-size:11px}svg "
        ".h{font-size:15px;font-weight:600}"
        "svg .g{stroke:%s;stroke-width:1}svg .one{stroke:%s;stroke-width:1.5}svg .band{fill:%s;opacity:.12}svg "
        ".hit{fill:none;pointer-events:all}"
        "svg .bg{fill:%s}",
        fg, card, soft, rule, soft, soft, card);
}

static void series_style(struct text *to, const char *const *colour) {
    for (int i = 0; i < SERIES_MOST; i++)
        text_add(to, "svg .s%d{fill:%s}svg .k%d,svg .w%d{stroke:%s;fill:none;stroke-width:1.8}", i, colour[i], i, i,
                 colour[i]);
}

static void page_drawing(struct text *to, const struct chart *c, size_t section, size_t n, bool narrow) {
    double width = narrow ? 360 : 880, height = chart_height(c, width);
    const char *kind = narrow ? "narrow" : "wide";
    text_add(to,
             "<svg class=\"%s\" viewBox=\"0 0 %.0f %.0f\" role=\"group\" aria-labelledby=\"h%zu-%zu\" "
             "aria-describedby=\"p%zu-%zu\" data-chart=\"",
             kind, width, height, section, n, section, n);
    text_escape(to, c->key);
    text_add(to, "\">\n");
    chart_draw(c, to, width, 0);
    text_add(to, "</svg>\n");
}

static void page_chart(struct text *to, const struct chart *c, size_t section, size_t n) {
    text_add(to, "<figure><figcaption><h3 id=\"h%zu-%zu\">", section, n);
    text_escape(to, c->title);
    text_add(to, "</h3><p id=\"p%zu-%zu\">", section, n);
    text_escape(to, c->text);
    text_add(to, "</p></figcaption>\n");
    page_drawing(to, c, section, n, false);
    page_drawing(to, c, section, n, true);
    text_add(to,
             "<details%s><summary>The figures as a table</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
             "aria-labelledby=\"h%zu-%zu\">",
             c->kind == CHART_DOTS && c->rows <= 12 ? " open" : "", section, n);
    chart_table(c, to);
    text_add(to, "</div></details></figure>\n");
}

void report_page(struct text *to, const struct section *s, size_t n) {
    text_add(to, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                 "content=\"width=device-width,initial-scale=1\">"
                 "<link rel=\"icon\" href=\"data:,\"><title>hakmem: ");
    text_escape(to, n == 1 ? s[0].title : "results");
    text_add(to, "</title>\n<style>%s", page_style);
    drawing_style(to, "var(--fg)", "var(--soft)", "var(--rule)", "var(--card)");
    series_style(to, light);
    text_add(to, "@media(prefers-color-scheme:dark){");
    series_style(to, dark);
    text_add(
        to,
        "}\n</style></head><body>\n<a class=\"skip\" href=\"#main\">To the results</a><header><h1>hakmem report</h1>");
    if (n > 1) {
        text_add(to, "<nav aria-label=\"Results\"><ul>");
        for (size_t i = 0; i < n; i++) {
            text_add(to, "<li><a href=\"#s%zu\">", i);
            text_escape(to, s[i].title);
            text_add(to, "</a></li>");
        }
        text_add(to, "</ul></nav>");
    }
    text_add(to, "</header>\n<main id=\"main\">\n");
    for (size_t i = 0; i < n; i++) {
        text_add(to, "<section id=\"s%zu\" aria-labelledby=\"t%zu\"><h2 id=\"t%zu\">", i, i, i);
        text_escape(to, s[i].title);
        text_add(to, "</h2>\n%s", s[i].intro.at ? s[i].intro.at : "");
        for (size_t k = 0; k < s[i].charts; k++)
            page_chart(to, s[i].chart[k], i, k);
        if (s[i].facts.used)
            text_add(
                to,
                "<details><summary>Environment</summary><div "
                "class=\"scroll\"><table><caption>Environment</caption><tbody>%s</tbody></table></div></details>\n",
                s[i].facts.at);
        text_add(to, "</section>\n");
    }
    text_add(to, "</main>\n<script>\n"
                 "/* Arrow keys move between the rows of a chart; Tab goes on to the next element as ever. */\n"
                 "document.addEventListener('keydown',function(e){\n"
                 " var row=e.target.closest&&e.target.closest('g.row');\n"
                 " if(!row||(e.key!=='ArrowDown'&&e.key!=='ArrowUp'))return;\n"
                 " var all=Array.from(row.ownerSVGElement.querySelectorAll('g.row'));\n"
                 " var next=all[all.indexOf(row)+(e.key==='ArrowDown'?1:-1)];\n"
                 " if(next){next.focus();e.preventDefault();}\n"
                 "});\n</script>\n</body></html>\n");
}

void report_picture(struct text *to, const struct section *s, size_t n, const char *only) {
    const double width = 880, margin = 20, head = 30;
    double height = margin;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s[i].charts; k++)
            if (!only || strcmp(s[i].chart[k]->key, only) == 0)
                height += chart_height(s[i].chart[k], width) + head + margin;
    text_add(to,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
             "height=\"%.0f\" viewBox=\"%.0f 0 %.0f %.0f\">\n<style>",
             width + 2 * margin, height, -margin, width + 2 * margin, height);
    drawing_style(to, "#1b1f24", "#59636e", "#d8dcdf", "#ffffff");
    series_style(to, light);
    text_add(to, "</style>\n<rect x=\"%.0f\" y=\"0\" width=\"%.0f\" height=\"%.0f\" class=\"bg\"/>\n", -margin,
             width + 2 * margin, height);
    double y = margin;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s[i].charts; k++) {
            const struct chart *c = s[i].chart[k];
            if (only && strcmp(c->key, only) != 0)
                continue;
            text_add(to, "<text x=\"0\" y=\"%.1f\" class=\"h\">", y + 14);
            text_escape(to, s[i].title);
            text_add(to, ": ");
            text_escape(to, c->title);
            text_add(to, "</text>\n");
            y += head + chart_draw(c, to, width, y + head) + margin;
        }
    text_add(to, "</svg>\n");
}
