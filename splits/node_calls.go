package splits

// lanes makes calls of the store side by side, one at a time for each node, so that a node that
// hangs delays the calls of no other. They belong to one goroutine: it starts calls, takes what
// they bring off landed, and joins them before it ends.
type nodeCalls struct {
	done chan completion
	busy map[string]bool
}

// landing is the end of a call: what is left to do in the goroutine that owns the lanes.
type completion struct {
	node string
	take func()
}

func newNodeCalls() nodeCalls { return nodeCalls{done: make(chan completion), busy: map[string]bool{}} }

// start makes a call in the node's lane, which must be free. The function that the call returns is
// run by land.
func (c *nodeCalls) start(node string, call func() func()) {
	c.busy[node] = true
	// ends with the call, whose context bounds it: its owner takes what landed, or joins
	go func() { c.done <- completion{node, call()} }()
}

// land frees the lane of a call and takes in what it brought.
func (c *nodeCalls) complete(end completion) {
	delete(c.busy, end.node)
	end.take()
}

// join waits for the calls that are under way and takes in what they bring.
func (c *nodeCalls) wait() {
	for len(c.busy) > 0 {
		c.complete(<-c.done)
	}
}

// byNode sorts things into the nodes that hold their splits.
func groupByNode[T any](node func(Split) string, all []T, split func(T) Split) map[string][]T {
	sorted := map[string][]T{}
	for _, one := range all {
		name := node(split(one))
		sorted[name] = append(sorted[name], one)
	}
	return sorted
}
