package pipelines

// input draws the input: one or two rafka inputs, and their wrappers.
func (g *generator) input() any {
	d := g.d
	switch d.intN(8) {
	default:
		g.plan.ordered = true
		return g.wrapped(g.rafka(g.topic(), false))
	case 4:
		return g.readUntil()
	case 5:
		return g.inputBroker()
	case 6:
		return g.sequence()
	case 7:
		g.batchedInput = true
		g.plan.use("input", "batched")
		return object{"batched": object{"child": g.rafka(g.topic(), false), "policy": g.policy()}}
	}
}

// topic draws a topic and returns its number.
func (g *generator) topic() int {
	first := 0
	if len(g.plan.topics) > 0 {
		first = g.plan.count()
	}
	g.plan.topics = append(
		g.plan.topics,
		topicPlan{partitions: g.d.between(1, 6), first: first, count: g.d.between(1, 40), share: g.d.chance(30)},
	)
	return len(g.plan.topics) - 1
}

// rafka draws an input for a topic.
func (g *generator) rafka(topic int, short bool) object {
	d := g.d
	g.plan.use("input", "rafka")
	fields := object{
		"url": urlMark, "stream_name": runMark + "-t" + number(topic), "consumer_group": "g",
		"batch_size": d.between(1, 50), "commit_period": "20ms", "session_timeout": "6s", "heartbeat_interval": "500ms",
	}
	if short { // the last of several members has to notice the others soon
		fields["heartbeat_interval"] = "100ms"
	}
	switch {
	case g.plan.topics[topic].share:
		g.reorders = true
		g.plan.use("setting", "group_type: share")
		fields["group_type"], fields["checkpoint_limit"] = "share", d.between(1, 60)
	case d.chance(30):
		g.reorders = true
		g.plan.use("setting", "ordering: none")
		fields["ordering"], fields["checkpoint_limit"] = "none", d.between(1, 60)
	case d.chance(40):
		g.plan.use("setting", "ordering: key")
		fields["ordering"], fields["checkpoint_limit"] = "key", d.between(1, 60)
	}
	if d.chance(6) {
		g.plan.skipsRejected = true
		g.plan.use("setting", "auto_replay_nacks: false")
		fields["auto_replay_nacks"] = false
	}
	return object{"rafka": fields}
}

// wrapped adds processors to an input in some cases.
func (g *generator) wrapped(input object) object {
	if g.d.chance(20) {
		g.plan.use("setting", "input processors")
		withProcessors(input, g.processors(scope{moves: true, splits: true}, 2, 70))
	}
	return input
}

// readUntil draws an input that ends when it is idle or has read a certain message, and restarts or
// is continued by the next stream of the run.
func (g *generator) readUntil() any {
	d := g.d
	g.endingInput = true
	g.plan.use("input", "read_until")
	source := g.rafka(g.topic(), false)
	fields := object{"input": source, "restart_input": d.chance(50)}
	if d.chance(50) {
		// If processors of the input split a batch, the input would always end after the first
		// part.
		g.finalInput = true
		fields["check"] = `content().contains("` + string(tokenOf(d.intN(g.plan.count()))) + `")`
	} else {
		g.wrapped(source)
		fields["idle_timeout"] = idleMark
	}
	return object{"read_until": fields}
}

// inputBroker draws several inputs: with different topics, or members of one group.
func (g *generator) inputBroker() any {
	d := g.d
	g.plan.use("input", "broker")
	inputs := list{}
	first := g.topic()
	inputs = append(inputs, g.wrapped(g.rafka(first, true)))
	if d.chance(50) {
		inputs = append(inputs, g.wrapped(g.rafka(g.topic(), true)))
	} else {
		g.plan.members = 2
		if g.plan.topics[first].share {
			g.plan.use("input", "broker: two members of a share group")
		} else {
			g.plan.use("input", "broker: two members of a group")
		}
		inputs = append(inputs, g.rafka(first, true))
	}
	fields := object{"inputs": inputs}
	if d.chance(30) {
		g.batchedInput = true
		g.plan.use("input", "broker: batching")
		fields["batching"] = g.policy()
	}
	return object{"broker": fields}
}

// sequence draws two inputs, one after the other. Both end when they are idle. The first one may
// end before it has read everything; the next stream of the run continues it.
func (g *generator) sequence() any {
	g.endingInput = true
	g.plan.use("input", "sequence")
	inputs := list{}
	for range 2 {
		inputs = append(
			inputs,
			object{"read_until": object{"input": g.wrapped(g.rafka(g.topic(), false)), "idle_timeout": idleMark}},
		)
	}
	return object{"sequence": object{"inputs": inputs}}
}

// policy draws a batch policy in which every batch ends.
func (g *generator) policy() object {
	policy := object{"period": number(g.d.between(1, 15)) + "ms"}
	switch g.d.intN(3) {
	case 0:
		policy["count"] = g.d.between(2, 30)
	case 1:
		policy["byte_size"] = g.d.between(50, 5000)
	}
	return policy
}
