// What an attention with a mask has to compute: most masks hide half of the keys and more.
#pragma once

#include <cstdint>
#include <vector>

namespace espalier {

// attention_part is queries that are computed at once, one behind the other, with the keys that at least one of them sees.
struct attention_part {
  int64_t from, queries;
  std::vector<int64_t> keys;  // empty: all
  std::vector<float> mask;    // [queries, keys], or one row for all queries where the whole mask has one; empty where keys is
};

// attention_mask is added to the scores; −∞ hides a key. Data is NULL where no key is hidden.
struct attention_mask {
  const float *data;
  int64_t step, key_step;
};

// attention_parts divides the queries of a head into parts of most queries at most.
std::vector<attention_part> attention_parts(int64_t queries, int64_t keys, attention_mask mask, int64_t most);

}  // namespace espalier
