# Makes the table from results.tsv: measure, case, unit, subject, value; one line a figure.
#
# For each subject of a case: minimum, median, maximum, and the median absolute deviation (MAD). The
# ratio is to Coir, round by round (the subjects took turns), then the median of those; a "~" before
# it says that it differs from 1 by less than its own MAD: nothing to conclude from.

BEGIN { FS = "\t" }

{
    group = $1 FS $2 FS $3
    key = group FS $4
    if (!(group in seen_group)) {
        seen_group[group] = 1
        groups[++group_count] = group
    }
    if (!(key in count)) {
        keys[group, ++subject_count[group]] = key
        subject[key] = $4
    }
    value[key, ++count[key]] = $5
}

# Sorts list[1..n]; n is small.
function sort(list, n,    i, k, item) {
    for (i = 2; i <= n; ++i) {
        item = list[i]
        for (k = i - 1; k >= 1 && list[k] > item; --k)
            list[k + 1] = list[k]
        list[k + 1] = item
    }
}

# Sorts it too.
function median(list, n) {
    sort(list, n)
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function deviation(list, n, middle,    i, distance) {
    for (i = 1; i <= n; ++i)
        distance[i] = list[i] < middle ? middle - list[i] : list[i] - middle
    return median(distance, n)
}

function number(x) {
    return sprintf(x < 10 ? "%.3f" : x < 100 ? "%.2f" : x < 1000 ? "%.1f" : "%.0f", x)
}

# "1.234", or "~1.005" where the noise is larger than the difference; "" without Coir's figures.
function ratio(key, base,    i, n, list, middle, noise) {
    n = count[key] < count[base] ? count[key] : count[base]
    if (key == base || n == 0)
        return ""
    for (i = 1; i <= n; ++i)
        list[i] = value[base, i] == 0 ? 0 : value[key, i] / value[base, i]
    middle = median(list, n)
    noise = deviation(list, n, middle)
    return ((middle - 1) ^ 2 < noise ^ 2 ? "~" : "") sprintf("%.3f", middle)
}

function row(key, base,    i, n, list, middle) {
    n = count[key]
    for (i = 1; i <= n; ++i)
        list[i] = value[key, i] + 0
    middle = median(list, n)
    printf "    %-14s %10s %10s %10s %9s %4d %8s\n", subject[key], number(list[1]), number(middle),
           number(list[n]), number(deviation(list, n, middle)), n, ratio(key, base)
}

END {
    for (g = 1; g <= group_count; ++g) {
        split(groups[g], part, FS)
        if (part[1] != last) {
            printf "\n%-18s %10s %10s %10s %9s %4s %8s\n", toupper(part[1]), "min", "median", "max",
                   "MAD", "n", "/ coir"
            last = part[1]
        }
        printf "  %s, %s\n", part[2], part[3]
        for (s = 1; s <= subject_count[groups[g]]; ++s)
            row(keys[groups[g], s], groups[g] FS "coir")
    }
}
