package data

import "iter"

// Order is the order in which an epoch (0, 1, …) visits n pictures: a permutation of 0 … n-1. It depends on the
// three arguments alone, on every machine and in every version: a run that is resumed must see the same pictures.
func Order(n int, seed uint64, epoch int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	r := splitmix{mix(seed+golden) + mix(uint64(epoch))}
	for i := n - 1; i > 0; i-- { // Fisher-Yates
		j := r.below(i + 1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// Endless strings the orders of all epochs together, from the start-th picture on: a training loop that has seen
// `start` pictures goes on where it stopped. It never ends by itself.
func Endless(n int, seed uint64, start int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if n <= 0 {
			return
		}
		for epoch, skip := start/n, start%n; ; epoch, skip = epoch+1, 0 {
			for _, i := range Order(n, seed, epoch)[skip:] {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// Sequence gives from … n-1: every picture once, in the split's own order, as evaluation does.
func Sequence(from, n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := from; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}
