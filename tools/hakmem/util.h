/* util.h : what every verb of the command line shares: errors, suggestions, numbers, JSON, progress. */
#ifndef HAKMEM_UTIL_H
#define HAKMEM_UTIL_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses, the same in every verb (hakmem(1), EXIT STATUS). A verb that runs a command ends with the command's own status. */
enum status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,    /* the work failed: a crash in a measured program, a full disk */
    STATUS_USAGE = 2,     /* bad arguments */
    STATUS_NOGO = 3,      /* ab: NO-GO */
    STATUS_NODIFF = 4,    /* ab: NO DIFFERENCE DETECTED */
    STATUS_UNPROVEN = 5,  /* the library or a gate was not in force */
    STATUS_NO_EXEC = 126, /* the command cannot be run */
    STATUS_NO_FILE = 127, /* the command was not found */
    STATUS_SIGNAL = 128   /* plus the signal's number */
};

#define PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Prints "hakmem VERB: message" on stderr and ends the process. The message names the value, what is expected, and the remedy. */
_Noreturn void fail(int status, const char *format, ...) PRINTF(2, 3);
/* The same without ending. */
void warn(const char *format, ...) PRINTF(1, 2);

/* The verb that runs, for messages; main() sets it. */
extern const char *util_verb;

/* malloc and friends that end the process when memory runs out. */
void *xmalloc(size_t size);
void *xrealloc(void *block, size_t size);
char *xstrdup(const char *text);
char *xprintf(const char *format, ...) PRINTF(1, 2);

/* The word among n words nearest to text by edit distance, or NULL if none is near enough to be what was meant. */
const char *nearest(const char *text, const char *const *words, size_t n);
size_t edit_distance(const char *a, const char *b);

/* Numbers from the command line; they end the process with STATUS_USAGE naming the option, the value and the range. */
double number_arg(const char *option, const char *text, double min, double max);
uint64_t integer_arg(const char *option, const char *text, uint64_t min, uint64_t max);
uint64_t size_arg(const char *option, const char *text);  /* bytes; suffix K M G T */
double seconds_arg(const char *option, const char *text); /* suffix ms s m h; none: seconds */

/* Text for people: "1.5 MiB", "12.3 ms". Each returns one of sixteen rotating static buffers. */
const char *bytes_text(double bytes);
const char *seconds_text(double seconds);
const char *count_text(double count); /* 12.3 M */

/* Reads a whole file (also of /proc) into a terminated block; NULL with errno on failure. *size may be NULL. */
char *read_file(const char *path, size_t *size);
/* The directory of this executable, without a slash at the end. */
const char *tool_directory(void);

/* JSON. json_print writes to stdout with an end of line and ends the process when that fails. json_save writes the file whole or not at all
 * (a temporary file, fsync, rename; devices and pipes directly) and returns false with a message already printed, for instance when the disk is full. */
void json_print(const json_t *value);
bool json_save(const json_t *value, const char *path);
/* A member of an object: "?" when it is no text, 0 when it is no number. */
const char *json_text(const json_t *object, const char *name);
double json_number(const json_t *object, const char *name);
json_t *json_read(const char *path); /* ends the process with a message naming file and line */
/* Flushes stdout; false, with a message, if something could not be written. Call it last in a verb. */
bool output_done(void);

/* Progress of work that may take over 2 s: one line on stderr, only on a terminal, with the time left. */
struct progress {
    const char *what;
    double begun, shown;
    bool visible;
};
void progress_begin(struct progress *p, const char *what);
/* done in 0..1; detail may be NULL. */
void progress_show(struct progress *p, double done, const char *detail);
void progress_end(struct progress *p); /* wipes the line */

double now_seconds(void); /* monotonic */

/* Ctrl-C and SIGTERM ask for an end: after interrupt_catch() they only set the flag; a second one kills. */
void interrupt_catch(void);
bool interrupted(void);

/* argp's parser with our conventions: errors end with STATUS_USAGE, options stop at the first argument that is none or at "--".
 * Returns the index in argv of the first argument left over. */
int parse_args(const struct argp *argp, int argc, char **argv, void *input);

/* The same for verbs that run no command: options may stand anywhere, as they do in `hakmem options decay --json`. */
int parse_mixed(const struct argp *argp, int argc, char **argv, void *input);
/* A parser for options that do no more than set a flag or keep a text; its input is an array of these, ended by a key of 0. */
struct kept {
    int key;
    bool *flag;
    const char **text;
};
error_t parse_kept(int key, char *text, struct argp_state *state);

/* The verbs. Each gets argv[0] = "hakmem VERB" and returns the exit status. */
int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_options(int argc, char **argv);
int cmd_ab(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_report(int argc, char **argv);

#endif
