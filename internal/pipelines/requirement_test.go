package pipelines

// requirement is what the tree of outputs requires for a piece of a message.
type requirement interface {
	// isMet reports whether the sinks have what is required.
	isMet(delivered map[string]map[token]bool, t token) bool
}

// atSink requires that a sink has the token, a token that it is a piece of, or, if the sink itself
// splits messages, all of its pieces.
type atSink struct {
	sink   string
	pieces int
}

func (n atSink) isMet(delivered map[string]map[token]bool, t token) bool {
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

// allOf requires all of them.
type allOf []requirement

func (n allOf) isMet(delivered map[string]map[token]bool, t token) bool {
	for _, one := range n {
		if !one.isMet(delivered, t) {
			return false
		}
	}
	return true
}

// anyOf requires one of them.
type anyOf []requirement

func (n anyOf) isMet(delivered map[string]map[token]bool, t token) bool {
	for _, one := range n {
		if one.isMet(delivered, t) {
			return true
		}
	}
	return false
}

// byNumber requires an element, selected by the number of the message.
type byNumber []requirement

func (n byNumber) isMet(delivered map[string]map[token]bool, t token) bool {
	return n[t.number()%len(n)].isMet(delivered, t)
}
