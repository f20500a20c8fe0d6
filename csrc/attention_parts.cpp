#include "attention_parts.h"

#include <algorithm>
#include <limits>

namespace espalier {

namespace {

// A part costs as its products do, and packing as much as so many queries more; so many keys more stand for what each query costs by itself.
constexpr int64_t packing = 12, softening = 8;
// Where queries see more and more keys, a part may end after so many.
constexpr int64_t causal_step = 16;

constexpr float hidden = -std::numeric_limits<float>::infinity();

bool hides_any(int64_t queries, int64_t keys, attention_mask m) {
  for (int64_t i = 0; i < (m.step ? queries : 1); i++) {
    int any = 0;
    for (int64_t j = 0; j < keys; j++) any |= m.data[i * m.step + j * m.key_step] == hidden;
    if (any) return true;
  }
  return false;
}

// sight is which keys each query sees, a bit each.
struct sight {
  int64_t words;
  std::vector<uint64_t> bits;  // [queries, words]

  sight(int64_t queries, int64_t keys, attention_mask m) : words((keys + 63) / 64), bits(queries * words) {
    for (int64_t i = 0; i < queries; i++)
      for (int64_t j = 0; j < keys; j++) bits[i * words + j / 64] |= uint64_t(m.data[i * m.step + j * m.key_step] != hidden) << j % 64;
  }

  // loses tells whether a query does not see all that the one before it does.
  bool loses(int64_t query) const {
    const uint64_t *now = &bits[query * words], *before = now - words;
    for (int64_t w = 0; w < words; w++)
      if (before[w] & ~now[w]) return true;
    return false;
  }

  // unite adds what queries see to a set, and gives the set's size.
  int64_t unite(int64_t from, int64_t to, std::vector<uint64_t> &set) const {
    for (int64_t i = from; i < to; i++)
      for (int64_t w = 0; w < words; w++) set[w] |= bits[i * words + w];
    int64_t n = 0;
    for (uint64_t w : set) n += __builtin_popcountll(w);
    return n;
  }
};

// cheapest_ends chooses where the parts end, of the places where a query sees less than the one before it or where some queries are over.
std::vector<int64_t> cheapest_ends(const sight &s, int64_t queries, int64_t most) {
  std::vector<int64_t> ends = {0};
  for (int64_t i = 1; i < queries; i++)
    if (i - ends.back() == causal_step || s.loses(i)) ends.push_back(i);
  ends.push_back(queries);
  const size_t n = ends.size();
  std::vector<int64_t> cost(n, std::numeric_limits<int64_t>::max()), before(n);
  cost[0] = 0;
  for (size_t a = 0; a + 1 < n; a++) {
    std::vector<uint64_t> seen(s.words);
    for (size_t b = a + 1; b < n && ends[b] - ends[a] <= most; b++) {
      const int64_t keys = s.unite(ends[b - 1], ends[b], seen), c = cost[a] + (ends[b] - ends[a] + packing) * (keys + softening);
      if (c < cost[b]) cost[b] = c, before[b] = a;
    }
  }
  std::vector<int64_t> chosen;
  for (size_t b = n - 1; b > 0; b = before[b]) chosen.push_back(ends[b]);
  std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

std::vector<attention_part> attention_parts(int64_t queries, int64_t keys, attention_mask m, int64_t most) {
  std::vector<attention_part> parts;
  if (!m.data || !hides_any(queries, keys, m)) {
    for (int64_t from = 0; from < queries; from += most) parts.push_back({from, std::min(most, queries - from)});
    return parts;
  }
  const sight s(queries, keys, m);
  int64_t from = 0;
  for (int64_t end : cheapest_ends(s, queries, most)) {
    attention_part p{from, end - from};
    std::vector<uint64_t> seen(s.words);
    if (const int64_t n = s.unite(from, end, seen); n < keys) {
      for (int64_t j = 0; j < keys; j++)
        if (seen[j / 64] >> j % 64 & 1) p.keys.push_back(j);
      if (n == 0) p.keys.push_back(0);  // hidden as all others are
      const int64_t rows = m.step ? p.queries : 1;
      p.mask.reserve(rows * p.keys.size());
      for (int64_t i = from; i < from + rows; i++)
        for (int64_t j : p.keys) p.mask.push_back(m.data[i * m.step + j * m.key_step]);
    }
    parts.push_back(std::move(p));
    from = end;
  }
  return parts;
}

}  // namespace espalier
