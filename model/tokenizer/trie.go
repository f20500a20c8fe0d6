package tokenizer

// trie finds the tokens that a text begins with. Its size is bounded by the bytes of the tokens put in.
type trie struct {
	nodes []trieNode
	first [256]int32 // the root's children: the one place with many, so no list
}

type trieNode struct {
	child, sibling int32 // 0: none; node 0 is never used
	value          int32 // -1: no token ends here
	label          byte
}

func newTrie() *trie { return &trie{nodes: make([]trieNode, 1)} }

// put sets the value of the token. It says false where the token has one already, which it replaces.
func (t *trie) put(token string, value int) bool {
	at := int32(0)
	for i := range len(token) {
		next := t.step(at, token[i])
		if next == 0 {
			next = int32(len(t.nodes))
			node := trieNode{label: token[i], value: -1}
			if at == 0 {
				t.first[token[i]] = next
			} else {
				node.sibling = t.nodes[at].child
				t.nodes[at].child = next
			}
			t.nodes = append(t.nodes, node)
		}
		at = next
	}
	if at == 0 { // an empty token begins every text and would never end
		return true
	}
	fresh := t.nodes[at].value < 0
	t.nodes[at].value = int32(value)
	return fresh
}

// step follows one byte from the node, 0 being the root, and gives 0 where nothing follows.
func (t *trie) step(at int32, label byte) int32 {
	if at == 0 {
		return t.first[label]
	}
	for at = t.nodes[at].child; at != 0 && t.nodes[at].label != label; {
		at = t.nodes[at].sibling
	}
	return at
}

// prefixes yields the length and the value of each token that the text begins with, the shortest first.
func (t *trie) prefixes(text string, yield func(length, value int)) {
	at := int32(0)
	for i := range len(text) {
		if at = t.step(at, text[i]); at == 0 {
			return
		}
		if v := t.nodes[at].value; v >= 0 {
			yield(i+1, int(v))
		}
	}
}

// longest gives the longest token that the text begins with; length 0 says that there is none.
func (t *trie) longest(text string) (length, value int) {
	t.prefixes(text, func(l, v int) { length, value = l, v })
	return length, value
}
