/* stats_test.c : the statistics of the command line, held against published values. */
#include "statistics.h"
#include <math.h>
#include <stdio.h>

static int failures;

static void check(const char *what, double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance)) {
        printf("FAILED %s: %.10g, wanted %.10g within %g\n", what, got, want, tolerance);
        failures++;
    }
}

enum { COUNT_SPATIAL = 26, COUNT_DARWIN = 15 };

/* Efron and Tibshirani, An Introduction to the Bootstrap (1993), table 14.1, test A of the spatial test data. */
static const double spatial[COUNT_SPATIAL] = {48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6,
                                              0,  33, 28, 34, 4,  32, 24, 47, 41, 24, 26, 30, 41};

static double plug_in_variance(const double *x, size_t n) {
    double mean = stat_mean(x, n), sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (x[i] - mean) * (x[i] - mean);
    }
    return sum / (double)n;
}

/* Their table 14.2: 90 % intervals of the variance, from 2000 resamples: percentile (100.8, 233.9), BCa (115.8, 259.6). Theirs are random in
 * the last places (their own repetitions differ by about 4), so are ours. */
static void test_intervals(void) {
    check("variance", plug_in_variance(spatial, COUNT_SPATIAL), 171.5, 0.05);
    struct interval plain = bootstrap_percentile(spatial, COUNT_SPATIAL, plug_in_variance, 0.9, 50000, 1);
    check("percentile low", plain.low, 100.8, 4);
    check("percentile high", plain.high, 233.9, 4);
    struct interval bca = bootstrap_bca(spatial, COUNT_SPATIAL, plug_in_variance, 0.9, 50000, 1);
    check("BCa low", bca.low, 115.8, 4);
    check("BCa high", bca.high, 259.6, 5);
}

/* Darwin's maize, crossed minus self-fertilised, in eighths of an inch. Fisher, The Design of Experiments (1935), section 21: of the 2^15 sums
 * 863 are at least as large as the one observed, so the two-sided p is 2 * 863 / 32768. */
static void test_fisher(void) {
    static const double darwin[COUNT_DARWIN] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
    check("Darwin's mean", stat_mean(darwin, COUNT_DARWIN), 314 / 15.0, 1e-9);
    check("Fisher's p", permutation_paired(darwin, COUNT_DARWIN, stat_mean, 0, 1), 1726 / 32768.0, 1e-12);
    /* Wilcoxon's test of the same data, as R's wilcox.test() gives it: V = 96 of 120, p = 0.04126. */
    check("signed ranks", (stat_signed_rank(darwin, COUNT_DARWIN) + 120) / 2, 96, 0);
    check("Wilcoxon's p", permutation_paired(darwin, COUNT_DARWIN, stat_signed_rank, 0, 1), 0.04126, 5e-6);
    double more[2 * COUNT_DARWIN];
    for (int i = 0; i < 2 * COUNT_DARWIN; i++) {
        more[i] = darwin[i % COUNT_DARWIN];
    }
    /* Too many for all flips: by random ones. The normal approximation of the doubled sample gives 2 * (1 - Phi(314 * 2 / sqrt(sum of squares))). */
    double squares = 0;
    for (int i = 0; i < 2 * COUNT_DARWIN; i++) {
        squares += more[i] * more[i];
    }
    check("random flips", permutation_paired(more, 2 * COUNT_DARWIN, stat_mean, 20000, 1),
          2 * (1 - normal_cdf(628 / sqrt(squares))), 0.004);
}

/* All of one side above all of the other: 1 of choose(10, 5) = 252 splits on each side (Fisher's exact argument). */
static void test_two_samples(void) {
    static const double low[] = {1, 2, 3, 4, 5}, high[] = {11, 12, 13, 14, 15}, same[] = {7, 7, 7, 7, 7};
    check("separated", permutation_two(low, 5, high, 5, 0, 1), 2 / 252.0, 1e-12);
    check("identical", permutation_two(same, 5, same, 5, 0, 1), 1, 0);
    check("overlapping", permutation_two(low, 5, low, 5, 0, 1), 1, 0);
}

static void test_basics(void) {
    static const double x[] = {1, 2, 3, 4, 10};
    check("median", stat_median(x, 5), 3, 0);
    check("quartile", stat_quantile(x, 5, 0.25), 2, 0); /* R's default, type 7 */
    check("trimmed", stat_trimmed(x, 5), 3, 0);
    check("sd", stat_sd(x, 5), sqrt(12.5), 1e-12);
    check("normal quantile", normal_quantile(0.975), 1.959963984540054, 1e-9);
    check("normal cdf", normal_cdf(1), 0.8413447460685429, 1e-12);
    /* splitmix64 from 1234567, as published with the generator. */
    uint64_t state = 1234567;
    check("splitmix64", random_next(&state) == 6457827717110365317u && random_next(&state) == 3203168211198807973u, 1,
          0);
}

static double normal(uint64_t *state) {
    double u = 0;
    for (int i = 0; i < 12; i++) {
        u += (double)(random_next(state) >> 11) * 0x1p-53;
    }
    return u - 6;
}

/* What intervals and tests promise, over many samples of noise without a difference: about 95 % cover 0, at most 1 % have p < 0.01. */
static void test_promises(void) {
    enum { TRIALS = 600, N = 12 };
    uint64_t state = 7;
    int covered = 0, alarms = 0;
    for (int t = 0; t < TRIALS; t++) {
        double x[N];
        for (int i = 0; i < N; i++) {
            x[i] = normal(&state);
        }
        struct interval i = bootstrap_bca(x, N, stat_trimmed, 0.95, 400, (uint64_t)t);
        covered += i.low <= 0 && i.high >= 0;
        alarms += permutation_paired(x, N, stat_signed_rank, 0, 1) < 0.01;
    }
    check("coverage", (double)covered / TRIALS, 0.94, 0.05);
    check("false alarms", (double)alarms / TRIALS, 0.005, 0.012);
}

int main(void) {
    test_basics();
    test_intervals();
    test_fisher();
    test_two_samples();
    test_promises();
    printf("%s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
