package pipelines

// broker draws two or three outputs under a broker with any pattern.
func (g *generator) broker(p outputContext) (object, requirement) {
	d := g.d
	patterns := []string{"round_robin", "greedy"}
	// In strict mode async_writer.go refuses a message as long as it carries the error of a
	// processor. A broker that retries forever (output_broker.go) gets the same message again and
	// again, and never rejects it.
	retries := !g.strict || !g.fails
	if retries {
		patterns = append(patterns, "fan_out")
	}
	// An output that fails fast passes on the error of its first failing child, according to which
	// the other messages arrived although the next children never received them. Outputs that merge
	// transactions or pass on only failed messages (transaction/tracked.go, output_fallback.go)
	// rely on that error.
	believed := p.batched || p.tracked || g.batchedInput
	if !g.endingInput { // an input that ends with batches in the pipeline is a hard stop for outputs; see below
		if retries {
			patterns = append(patterns, "fan_out_sequential")
		}
		if !believed {
			patterns = append(patterns, "fan_out_sequential_fail_fast")
		}
	}
	if !p.nested && !believed && !g.finalInput && !g.batches {
		patterns = append(patterns, "fan_out_fail_fast") // see outputContext.nested
	}
	pattern := pick(d, patterns...)
	g.plan.use("output", "broker: "+pattern)
	child := p.child()
	fields := object{"pattern": pattern}
	if d.chance(25) {
		g.plan.use("output", "broker: batching")
		fields["batching"] = g.policy()
		child.batched = true
	}
	n := d.between(2, 3)
	g.retriesForever = g.retriesForever || pattern == "fan_out" || pattern == "fan_out_sequential"
	switch pattern {
	case "fan_out":
		child.retriesForever = true
	case "fan_out_sequential":
		child.retriesForever, child.shared = true, true
		g.noHardStops = true
	case "fan_out_sequential_fail_fast":
		delete(fields, "batching") // as above
		child.batched, child.shared = p.batched, true
		// output_broker_fan_out_sequential.go waits for acknowledgements that a hard stop has ended
		g.noHardStops = true
	case "fan_out_fail_fast":
		n, g.failFast = 2, true
		delete(fields, "batching")
		child.batched = false
		g.noHardStops = true
	}
	refusing, falling := len(g.sinkNames), len(g.fallbackSinks)
	outputs, required := list{}, []requirement{}
	for range n {
		made, one := g.node(child)
		outputs, required = append(outputs, made), append(required, one)
	}
	if pattern == "fan_out_fail_fast" {
		// output_broker_fan_out.go can acknowledge a message that one output refuses, if the other
		// output accepts it at the same moment.
		g.sinkNames, g.fallbackSinks = g.sinkNames[:refusing], g.fallbackSinks[:falling]
	}
	fields["outputs"] = outputs
	if pattern == "round_robin" || pattern == "greedy" {
		return g.outputOf("broker", fields), anyOf(required)
	}
	return g.outputOf("broker", fields), allOf(required)
}
