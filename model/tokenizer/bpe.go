package tokenizer

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding: a word starts as characters, and the pair that training merged first is merged
// first (Sennrich et al. 2016, arXiv:1508.07909).
type bpe struct {
	vocabulary
	merges map[[2]int]merge
	f      bpeFile
}

type merge struct{ rank, id int }

type bpeFile struct {
	Type          string
	Dropout       *float64
	Unk           *string `json:"unk_token"`
	Prefix        *string `json:"continuing_subword_prefix"`
	Suffix        *string `json:"end_of_word_suffix"`
	FuseUnk       bool    `json:"fuse_unk"`
	ByteFallback  bool    `json:"byte_fallback"`
	IgnoreMerges  bool    `json:"ignore_merges"`
	Vocab         vocabulary
	Merges        json.RawMessage
	CacheCapacity json.RawMessage `json:"cache_capacity"` // of no effect on ids
}

func readBPE(p part) (model, error) {
	m := &bpe{}
	if err := p.read(&m.f); err != nil {
		return nil, err
	}
	if m.f.Dropout != nil && *m.f.Dropout != 0 {
		return nil, fmt.Errorf("model BPE: dropout %g is not computed here: ids would be drawn by chance; set it to null", *m.f.Dropout)
	}
	if isNull(m.f.Merges) {
		return nil, fmt.Errorf("model BPE has no merges; save the tokenizer again")
	}
	m.vocabulary = m.f.Vocab
	pairs, err := readMerges(m.f.Merges)
	if err != nil {
		return nil, err
	}
	m.f.Merges = nil
	prefix := text(m.f.Prefix)
	m.merges = make(map[[2]int]merge, len(pairs))
	for rank, pair := range pairs {
		a, okA := m.ids[pair[0]]
		b, okB := m.ids[pair[1]]
		rest, okC := strings.CutPrefix(pair[1], prefix)
		id, okD := m.ids[pair[0]+rest]
		if !okA || !okB || !okC || !okD {
			return nil, fmt.Errorf("model BPE: merge %d joins %q and %q, of which one or the joined token is not in the vocabulary; save the tokenizer again", rank, pair[0], pair[1])
		}
		m.merges[[2]int{a, b}] = merge{rank, id}
	}
	return m, nil
}

// readMerges reads both forms: ["a", "b"] and, in older files, "a b".
func readMerges(data json.RawMessage) ([][2]string, error) {
	var lists [][]string
	if json.Unmarshal(data, &lists) != nil {
		var lines []string
		if err := json.Unmarshal(data, &lines); err != nil {
			return nil, fmt.Errorf("model BPE: merges: %w; save the tokenizer again", err)
		}
		lists = make([][]string, 0, len(lines))
		for _, line := range lines {
			if !strings.HasPrefix(line, "#version") {
				lists = append(lists, strings.Split(line, " "))
			}
		}
	}
	pairs := make([][2]string, len(lists))
	for i, l := range lists {
		if len(l) != 2 {
			return nil, fmt.Errorf("model BPE: merge %d is %q, want two tokens; save the tokenizer again", i, l)
		}
		pairs[i] = [2]string(l)
	}
	return pairs, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (m *bpe) encode(word string) ([]int, error) {
	if m.f.IgnoreMerges {
		if id, ok := m.ids[word]; ok {
			return []int{id}, nil
		}
	}
	ids, err := m.characters(word)
	if err != nil {
		return nil, err
	}
	return m.merge(ids, nil), nil
}

// characters gives the ids before any merge. A character that the vocabulary does not have becomes its bytes where
// the file says so, else unk_token, else nothing. A pending unk_token comes after bytes that follow it: so
// does `tokenizers`.
func (m *bpe) characters(word string) ([]int, error) {
	ids := make([]int, 0, len(word))
	unk := -1
	for i, r := range word {
		end := i + utf8.RuneLen(r)
		c := word[i:end]
		if i > 0 {
			c = text(m.f.Prefix) + c
		}
		if end == len(word) {
			c += text(m.f.Suffix)
		}
		if id, ok := m.ids[c]; ok {
			if unk >= 0 {
				ids, unk = append(ids, unk), -1
			}
			ids = append(ids, id)
			continue
		}
		if m.f.ByteFallback {
			if bytes := byteIDs(m.ids, c); bytes != nil {
				ids = append(ids, bytes...)
				continue
			}
		}
		if m.f.Unk == nil {
			continue
		}
		if unk >= 0 && !m.f.FuseUnk {
			ids = append(ids, unk)
		}
		var err error
		if unk, err = m.unknown(c, *m.f.Unk); err != nil {
			return nil, err
		}
	}
	if unk >= 0 {
		ids = append(ids, unk)
	}
	return ids, nil
}

// symbol is a place in a word; a merge takes in its right neighbour.
type symbol struct {
	id, left, right int // right is -1 at the end
	gone            bool
}

// merge applies the merges by rank, and from the left among equals, in O(n log n). made, where it is not nil, is told what each
// makes.
func (m *bpe) merge(ids []int, made func(id int)) []int {
	symbols := make([]symbol, len(ids))
	var queue mergeQueue
	look := func(at int) {
		if at < 0 || symbols[at].right < 0 {
			return
		}
		if to, ok := m.merges[[2]int{symbols[at].id, symbols[symbols[at].right].id}]; ok {
			heap.Push(&queue, candidate{at, to})
		}
	}
	for i, id := range ids {
		symbols[i] = symbol{id: id, left: i - 1, right: i + 1}
	}
	if len(ids) > 0 {
		symbols[len(ids)-1].right = -1
	}
	for i := range symbols {
		look(i)
	}
	for queue.Len() > 0 {
		c := heap.Pop(&queue).(candidate)
		s := &symbols[c.at]
		if s.gone || s.right < 0 {
			continue
		}
		right := &symbols[s.right]
		if to, ok := m.merges[[2]int{s.id, right.id}]; !ok || to.id != c.id {
			continue // an earlier merge changed the pair
		}
		s.id, s.right, right.gone = c.id, right.right, true
		if made != nil {
			made(c.id)
		}
		if s.right >= 0 {
			symbols[s.right].left = c.at
		}
		look(s.left)
		look(c.at)
	}
	out := ids[:0]
	for _, s := range symbols {
		if !s.gone {
			out = append(out, s.id)
		}
	}
	return out
}

// candidate is a merge that waits for its turn.
type candidate struct {
	at int
	merge
}

// mergeQueue implements [heap.Interface].
type mergeQueue []candidate

func (q mergeQueue) Len() int { return len(q) }
func (q mergeQueue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q mergeQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *mergeQueue) Push(x any)   { *q = append(*q, x.(candidate)) }
func (q *mergeQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
