package splits

// nodeCalls makes calls of the store in parallel, one at a time for each node, so that a node that
// hangs delays no call to another node. R is what a call returns. A nodeCalls belongs to one
// goroutine: that goroutine starts the calls, receives their completions from done and passes each
// to free, and waits for the remaining ones before it ends.
type nodeCalls[R any] struct {
	done chan completion[R]
	busy map[string]bool
}

// completion is the end of one call.
type completion[R any] struct {
	node   string
	result R
}

func newNodeCalls[R any]() nodeCalls[R] {
	return nodeCalls[R]{done: make(chan completion[R]), busy: map[string]bool{}}
}

// start makes a call to a node, which must not be busy.
func (c *nodeCalls[R]) start(node string, call func() R) {
	c.busy[node] = true
	// Ends with the call, which its context bounds: the owner receives the completion.
	go func() { c.done <- completion[R]{node, call()} }()
}

// free notes that the call of a completion has ended.
func (c *nodeCalls[R]) free(end completion[R]) { delete(c.busy, end.node) }

// wait waits for the calls in flight and passes each completion to handle.
func (c *nodeCalls[R]) wait(handle func(completion[R])) {
	for len(c.busy) > 0 {
		end := <-c.done
		c.free(end)
		handle(end)
	}
}

// groupByNode groups things by the nodes that hold their splits.
func groupByNode[T any](node func(Split) string, all []T, split func(T) Split) map[string][]T {
	groups := map[string][]T{}
	for _, one := range all {
		name := node(split(one))
		groups[name] = append(groups[name], one)
	}
	return groups
}
