package pipelines

// scope says what processors may do at some place of a pipeline.
type scope struct {
	// moves: the engine may lose track of which message is which. splits: one message may become
	// several. shapes: bodies may stop being single JSON documents.
	moves, splits, shapes bool
	depth                 int
}

// still is a scope in which every message stays what and where it is.
func (s scope) still() scope { return scope{depth: s.depth + 1} }

// inside is the scope of the children of a processor.
func (s scope) inside() scope { return scope{moves: s.moves, depth: s.depth + 1} }

// maker makes processors of one kind: mostly one, or several that belong together.
type maker struct {
	name string
	// moves: each output message need not have the context of its source (auto_observed.go of the
	// engine gives it that of the input message at the same position). splits: one message becomes
	// several, which share a context.
	moves, splits bool
	// shapes: what follows has merged bodies. merged: it works on merged bodies too.
	shapes, merged bool
	// nests: it has children.
	nests bool
	// fails: it leaves an error in a message until it is handed out again.
	fails bool
	make  func(g *generator, s scope) list
}

func (m maker) fits(g *generator, s scope) bool {
	switch {
	case m.moves && !s.moves,
		m.splits && !s.splits,
		m.shapes && !s.shapes,
		g.merged && !m.merged,
		m.nests && s.depth > 1,
		m.fails && g.strict && g.endless:
		return false
	}
	return true
}

// makers are all kinds of processors. The first is the simplest.
func makers() []maker {
	var every []maker
	for _, group := range [][]maker{plainMakers(), documentMakers(), nestingMakers(), movingMakers(), mergingMakers()} {
		every = append(every, group...)
	}
	return every
}

// processors draws a list of processors, at most so many.
func (g *generator) processors(s scope, most, percent int) list {
	found := list{}
	g.d.items(most, percent, func() {
		var fitting []maker
		for _, m := range makers() {
			if m.fits(g, s) {
				fitting = append(fitting, m)
			}
		}
		m := pick(g.d, fitting...)
		g.plan.use("processor", m.name)
		made := m.make(g, s)
		found = append(found, made...)
		g.merged = g.merged || m.shapes
	})
	return found
}

// children are the processors of a processor: at least one.
func (g *generator) children(s scope) list {
	found := g.processors(s, 2, 60)
	if len(found) == 0 {
		found = list{object{"noop": object{}}}
	}
	return found
}

// one is a list of a single processor.
func one(name string, config any) list { return list{object{name: config}} }

// fixed makes the same processor always.
func fixed(name string, config any) func(*generator, scope) list {
	return func(*generator, scope) list { return one(name, config) }
}

// plainMakers keep every message what it is, whatever its body.
func plainMakers() []maker {
	return []maker{
		{name: "noop", merged: true, make: fixed("noop", object{})},
		{name: "log", merged: true, make: fixed("log", object{"level": "TRACE", "message": "${! batch_index() }"})},
		{name: "metric", merged: true, make: fixed("metric", object{"type": "counter", "name": "seen"})},
		{name: "sleep", merged: true, make: fixed("sleep", object{"duration": "200us"})},
		{name: "rate_limit", merged: true, make: fixed("rate_limit", object{"resource": "fast"})},
		{name: "mapping", merged: true, make: fixed("mapping", "root = content()")},
		{name: "mutation", merged: true, make: fixed("mutation", `meta seen = "yes"`)},
		{name: "cache", merged: true, make: fixed("cache", object{
			"resource": "store", "operator": "set", "key": "${! uuid_v4() }", "value": "x",
		})},
		{
			name:   "bounds_check",
			merged: true,
			make:   fixed("bounds_check", object{"max_part_size": 1 << 28, "max_parts": 100000}),
		},
		{name: "compress, decompress", merged: true, make: func(g *generator, _ scope) list {
			algorithm := pick(g.d, "gzip", "zlib", "flate", "snappy", "lz4")
			return list{
				object{"compress": object{"algorithm": algorithm}},
				object{"decompress": object{"algorithm": algorithm}},
			}
		}},
		{
			name:   "flaky",
			merged: true,
			fails:  true,
			make:   func(g *generator, _ scope) list { return one("flaky", g.newFlaky()) },
		},
		{name: "flaky, catch", merged: true, fails: true, make: func(g *generator, s scope) list {
			return list{object{"flaky": g.newFlaky()}, object{"catch": g.children(s.still())}}
		}},
		{name: "flaky in retry", merged: true, make: func(g *generator, s scope) list {
			return one("retry", object{
				"backoff":    object{"initial_interval": "1ms", "max_interval": "2ms"},
				"parallel":   g.d.chance(50),
				"processors": append(list{object{"flaky": g.newFlaky()}}, g.children(s.still())...),
			})
		}},
	}
}

// newFlaky is the configuration of the next flaky processor.
func (g *generator) newFlaky() object {
	g.flaky++
	g.fails = true
	name := "f" + number(g.flaky)
	g.flake = append(g.flake, name)
	return object{"run": runMark, "name": name}
}

// documentMakers keep every message what it is, and need JSON documents.
func documentMakers() []maker {
	return []maker{
		{name: "mapping of documents", make: fixed("mapping", "root = this\nroot.mapped = true")},
		{name: "mutation of documents", make: fixed("mutation", `root.mutated = this.n.string()`)},
		{name: "bloblang", make: fixed("bloblang", "root = this\nroot.seen = batch_index()")},
		{name: "jq", make: fixed("jq", object{"query": ". + {jq: .n}"})},
		{name: "jmespath", make: fixed("jmespath", object{"query": "@"})},
		{name: "json_schema", make: fixed("json_schema", object{"schema": `{"type":"object","required":["id"]}`})},
		{name: "while", make: fixed("while", object{
			"max_loops":  5,
			"check":      "this.loops.or(0) < 2",
			"processors": one("mutation", "root.loops = this.loops.or(0) + 1"),
		})},
		{name: "workflow", make: fixed("workflow", object{"meta_path": "meta.workflow", "branches": object{
			"a": object{
				"request_map": "root = this.n",
				"processors":  one("mapping", "root = this"),
				"result_map":  "root.flow_a = this",
			},
			"b": object{
				"request_map": "root = this.flow_a",
				"processors":  one("noop", object{}),
				"result_map":  "root.flow_b = this",
			},
		}})},
		{name: "try_catch", make: fixed("try_catch", object{
			"processors": one("mapping", `root = if this.n % 5 == 2 { throw("caught") } else { this }`),
			"catch":      one("mutation", "root.caught = true"),
		})},
		{name: "cached", make: func(g *generator, s scope) list {
			g.caches++
			return one("cached", object{
				"cache":      "store",
				"key":        number(g.caches) + `-${! json("id") }`,
				"processors": one("mutation", "root.cached = true"),
			})
		}},
	}
}
