/* statistics.c : means, bootstrap intervals, permutation tests. Held against published values in tests/lab/stats_test.c. */
#include "statistics.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EXACT_PAIRS = 16, MOST_EXACT_SPLITS = 20000, MOST_EXACT_TWO = 24 };
enum { MOST_JACKKNIFE = 2000 }; /* the acceleration, a sixth of the skewness over the root of n, is nothing beyond */

/* Sums that are equal but for rounding count as equal in a test. */
static const double rounding = 1e-9;

uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t random_below(uint64_t *state, size_t n) { return (size_t)(((random_next(state) >> 32) * (uint64_t)n) >> 32); }

void random_shuffle(uint64_t *state, size_t *items, size_t n) {
    for (size_t i = n; i > 1; i--) {
        size_t k = random_below(state, i), kept = items[i - 1];
        items[i - 1] = items[k];
        items[k] = kept;
    }
}

static int compare(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

void stat_sort(double *x, size_t n) { qsort(x, n, sizeof *x, compare); }

double stat_mean(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
    }
    return sum / (double)n;
}

double stat_sd(const double *x, size_t n) {
    double mean = stat_mean(x, n), sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (x[i] - mean) * (x[i] - mean);
    }
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

double stat_quantile(const double *sorted, size_t n, double q) {
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* A sorted copy in a block that the caller frees; NULL when there is no memory, which no caller of ours can go on without. */
static double *sorted_copy(const double *x, size_t n) {
    double *copy = malloc((n ? n : 1) * sizeof *copy);
    if (!copy) {
        abort();
    }
    memcpy(copy, x, n * sizeof *copy);
    size_t i = 1;
    while (i < n && copy[i - 1] <= copy[i]) {
        i++;
    }
    if (i < n) { /* resamples come sorted */
        stat_sort(copy, n);
    }
    return copy;
}

double stat_median(const double *x, size_t n) {
    double *sorted = sorted_copy(x, n);
    double median = stat_quantile(sorted, n, 0.5);
    free(sorted);
    return median;
}

double stat_trimmed(const double *x, size_t n) {
    double *sorted = sorted_copy(x, n);
    size_t cut = n / 5;
    double mean = stat_mean(sorted + cut, n - 2 * cut);
    free(sorted);
    return mean;
}

static int compare_magnitude(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (fabs(x) > fabs(y)) - (fabs(x) < fabs(y));
}

/* The signed ranks of |x|, in a block that the caller frees. Equal ones share the mean of their ranks. */
static double *signed_ranks(const double *x, size_t n) {
    double *sorted = sorted_copy(x, n);
    qsort(sorted, n, sizeof *sorted, compare_magnitude);
    for (size_t i = 0, end; i < n; i = end) {
        double magnitude = fabs(sorted[i]);
        for (end = i; end < n && fabs(sorted[end]) <= magnitude; end++) {
        }
        for (size_t k = i; k < end; k++) {
            sorted[k] = ((sorted[k] > 0) - (sorted[k] < 0)) * ((double)(i + end + 1) / 2);
        }
    }
    return sorted;
}

static double sum_of(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
    }
    return sum;
}

double stat_signed_rank(const double *x, size_t n) {
    double *ranks = signed_ranks(x, n), sum = sum_of(ranks, n);
    free(ranks);
    return sum;
}

double normal_cdf(double z) { return 0.5 * erfc(-z / sqrt(2)); }

/* By halving -8..8: exact enough for an interval, and short. */
double normal_quantile(double p) {
    double low = -8, high = 8;
    for (int i = 0; i < 80; i++) {
        double middle = (low + high) / 2;
        if (normal_cdf(middle) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}

/* The statistic of `draws` resamples with replacement, sorted. A resample is drawn as how often each value occurs, and so needs no sorting itself:
 * hundreds of pairs would spend longer on that than on their runs. No statistic here heeds the order. */
static double *resample(const double *x, size_t n, statistic *s, size_t draws, uint64_t seed) {
    double *values = malloc(draws * sizeof *values), *sample = malloc(n * sizeof *sample), *sorted = sorted_copy(x, n);
    unsigned *times = calloc(n, sizeof *times);
    if (!values || !sample || !times) {
        abort();
    }
    for (size_t d = 0; d < draws; d++) {
        for (size_t i = 0; i < n; i++) {
            times[random_below(&seed, n)]++;
        }
        for (size_t i = 0, k = 0; i < n; i++) {
            for (; times[i] > 0; times[i]--) {
                sample[k++] = sorted[i];
            }
        }
        values[d] = s(sample, n);
    }
    free(times);
    free(sorted);
    free(sample);
    stat_sort(values, draws);
    return values;
}

struct interval bootstrap_percentile(const double *x, size_t n, statistic *s, double confidence, size_t draws,
                                     uint64_t seed) {
    double *values = resample(x, n, s, draws, seed), tail = (1 - confidence) / 2;
    struct interval out = {stat_quantile(values, draws, tail), stat_quantile(values, draws, 1 - tail)};
    free(values);
    return out;
}

/* Acceleration from the jackknife: sum (m - t)^3 / (6 (sum (m - t)^2)^1.5). */
static double acceleration(const double *unsorted, size_t n, statistic *s) {
    if (n > MOST_JACKKNIFE) {
        return 0;
    }
    double *left = malloc(n * sizeof *left), *t = malloc(n * sizeof *t), *x = sorted_copy(unsorted, n);
    if (!left || !t) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(left, x, i * sizeof *left);
        memcpy(left + i, x + i + 1, (n - i - 1) * sizeof *left);
        t[i] = s(left, n - 1);
    }
    double mean = stat_mean(t, n), squares = 0, cubes = 0;
    for (size_t i = 0; i < n; i++) {
        double d = mean - t[i];
        squares += d * d;
        cubes += d * d * d;
    }
    free(left);
    free(t);
    free(x);
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

struct interval bootstrap_bca(const double *x, size_t n, statistic *s, double confidence, size_t draws, uint64_t seed) {
    double point = s(x, n);
    if (n < 3) {
        double low = x[0], high = x[0];
        for (size_t i = 1; i < n; i++) {
            low = fmin(low, x[i]);
            high = fmax(high, x[i]);
        }
        return (struct interval){low, high};
    }
    double *values = resample(x, n, s, draws, seed);
    double below = 0;
    for (size_t d = 0; d < draws; d++) {
        below += values[d] < point ? 1 : values[d] > point ? 0 : 0.5;
    }
    double share = fmin(fmax(below / (double)draws, 0.5 / (double)draws), 1 - 0.5 / (double)draws);
    double bias = normal_quantile(share), a = acceleration(x, n, s), z = normal_quantile(1 - (1 - confidence) / 2);
    double q[2];
    for (int side = 0; side < 2; side++) {
        double w = bias + (side ? z : -z);
        q[side] = normal_cdf(bias + w / (1 - a * w));
    }
    struct interval out = {stat_quantile(values, draws, q[0]), stat_quantile(values, draws, q[1])};
    free(values);
    return out;
}

double permutation_paired(const double *differences, size_t n, statistic *s, size_t draws, uint64_t seed) {
    if (s == stat_signed_rank) { /* flips change no rank */
        double *ranks = signed_ranks(differences, n), p = permutation_paired(ranks, n, sum_of, draws, seed);
        free(ranks);
        return p;
    }
    double *flipped = malloc(n * sizeof *flipped);
    if (!flipped) {
        abort();
    }
    double observed = fabs(s(differences, n));
    observed -= rounding * observed;
    bool exact = n <= MOST_EXACT_PAIRS;
    size_t all = exact ? (size_t)1 << n : draws, as_far = 0;
    for (size_t d = 0; d < all; d++) {
        uint64_t signs = exact ? d : 0;
        for (size_t i = 0; i < n; i++) {
            if (!exact && i % 64 == 0) {
                signs = random_next(&seed);
            }
            flipped[i] = signs >> (i % 64) & 1 ? -differences[i] : differences[i];
        }
        as_far += fabs(s(flipped, n)) >= observed;
    }
    free(flipped);
    return exact ? (double)as_far / (double)all : (double)(as_far + 1) / (double)(all + 1);
}

static double choose(size_t n, size_t k) {
    double c = 1;
    for (size_t i = 0; i < k; i++) {
        c = c * (double)(n - i) / (double)(i + 1);
    }
    return c;
}

/* |mean of the chosen n - mean of the rest|, from the sum of the chosen. */
static double split_difference(double sum, double total, size_t n, size_t m) {
    return fabs(sum / (double)n - (total - sum) / (double)m);
}

static double exact_two(const double *all, size_t n, size_t m, double total, double observed) {
    double as_far = 0, splits = 0;
    for (uint64_t set = 0; set < (uint64_t)1 << (n + m); set++) {
        if ((size_t)__builtin_popcountll(set) != n) {
            continue;
        }
        double sum = 0;
        for (size_t i = 0; i < n + m; i++) {
            sum += set >> i & 1 ? all[i] : 0;
        }
        splits += 1;
        as_far += split_difference(sum, total, n, m) >= observed;
    }
    return as_far / splits;
}

double permutation_two(const double *a, size_t n, const double *b, size_t m, size_t draws, uint64_t seed) {
    double *all = malloc((n + m) * sizeof *all);
    if (!all) {
        abort();
    }
    memcpy(all, a, n * sizeof *all);
    memcpy(all + n, b, m * sizeof *all);
    double sum = stat_mean(a, n) * (double)n, total = stat_mean(all, n + m) * (double)(n + m);
    double observed = split_difference(sum, total, n, m);
    observed -= rounding * observed;
    if (n + m <= MOST_EXACT_TWO && choose(n + m, n) <= MOST_EXACT_SPLITS) {
        double p = exact_two(all, n, m, total, observed);
        free(all);
        return p;
    }
    size_t as_far = 0;
    for (size_t d = 0; d < draws; d++) {
        double chosen = 0;
        for (size_t i = 0; i < n; i++) {
            size_t k = i + random_below(&seed, n + m - i);
            double kept = all[i];
            all[i] = all[k];
            all[k] = kept;
            chosen += all[i];
        }
        as_far += split_difference(chosen, total, n, m) >= observed;
    }
    free(all);
    return (double)(as_far + 1) / (double)(draws + 1);
}
