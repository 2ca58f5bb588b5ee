#include "base/memory_policy.h"

#include "base/checked.h"

#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)

/* Modes in rising order of the most that is available in each. */
static const struct {
    uint64_t up_to; /* inclusive */
    struct memory_mode mode;
} modes[] = {
    {8 * GB - 1, {"conservative", 512 * MB}},
    {16 * GB - 1, {"standard", 1 * GB}},
    {32 * GB, {"high performance", 2 * GB}},
    {UINT64_MAX, {"maximum performance", 4 * GB}},
};

/* How an arena grows, in falling order of the size that it must be above. The next size is the smaller of
 * two: needed + `spare`, and current + current/`share`. never less than needed. 0: that bound is off. */
static const struct {
    uint64_t above, spare, share;
} tiers[] = {
    {12 * GB, 256 * MB, 0},
    {4 * GB, 1 * GB, 4},
    {0, 0, 2},
};

#define HIGH_USAGE_PERCENT 70u

struct memory_mode policy_mode(uint64_t available) {
    size_t i = 0;
    while (available > modes[i].up_to) i++;
    return modes[i].mode;
}

/* The size that the tier of `current` asks for. Sums that overflow ask for no more than what is needed. */
static uint64_t tier_size(uint64_t current, uint64_t needed) {
    size_t i = 0;
    while (tiers[i].above && current <= tiers[i].above) i++;
    uint64_t spare = UINT64_MAX, share = UINT64_MAX;
    if (tiers[i].spare && lr_add_u64(needed, tiers[i].spare, &spare)) spare = needed;
    if (tiers[i].share && lr_add_u64(current, current / tiers[i].share, &share)) share = needed;
    return spare < share ? spare : share;
}

bool policy_grow(uint64_t current, uint64_t in_use, uint64_t block, uint64_t available, uint64_t *next) {
    uint64_t needed;
    if (lr_add_u64(in_use, block, &needed)) return false;
    if (!current) current = policy_mode(available).first_size;
    *next = current;
    if (needed <= current) return true;
    uint64_t most = available / 2, wish = tier_size(current, needed);
    if (wish < needed) wish = needed;
    *next = wish - current <= most ? wish : needed;
    return *next - current <= most;
}

uint64_t policy_lacks(uint64_t current, uint64_t in_use, uint64_t block, uint64_t available) {
    uint64_t needed, twice;
    if (!current) current = policy_mode(available).first_size;
    if (lr_add_u64(in_use, block, &needed)) return UINT64_MAX;
    if (needed <= current) return 0;
    if (lr_mul_u64(needed - current, 2, &twice)) return UINT64_MAX;
    return twice > available ? twice - available : 0;
}

bool policy_high_usage(uint64_t available, uint64_t total) {
    if (available >= total) return false;
    return (unsigned __int128)(total - available) * 100 > (unsigned __int128)total * HIGH_USAGE_PERCENT;
}
