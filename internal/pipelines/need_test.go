package pipelines

// need is what the tree of outputs demands of a piece of a message.
type need interface {
	// met reports whether it is fulfilled by what the sinks have.
	met(delivered map[string]map[token]bool, t token) bool
}

// at demands that a sink has the token, what it is a piece of, or, if the sink itself splits, all
// pieces of it.
type at struct {
	sink   string
	pieces int
}

func (n at) met(delivered map[string]map[token]bool, t token) bool {
	has := delivered[n.sink]
	for _, name := range t.lineage() {
		if has[name] {
			return true
		}
	}
	for i := range n.pieces {
		if !has[t.piece(i)] {
			return false
		}
	}
	return n.pieces > 0
}

// all demands every one.
type all []need

func (n all) met(delivered map[string]map[token]bool, t token) bool {
	for _, one := range n {
		if !one.met(delivered, t) {
			return false
		}
	}
	return true
}

// any one of them will do.
type either []need

func (n either) met(delivered map[string]map[token]bool, t token) bool {
	for _, one := range n {
		if one.met(delivered, t) {
			return true
		}
	}
	return false
}

// byNumber demands the one that the number of the message leads to.
type byNumber []need

func (n byNumber) met(delivered map[string]map[token]bool, t token) bool {
	return n[t.number()%len(n)].met(delivered, t)
}
