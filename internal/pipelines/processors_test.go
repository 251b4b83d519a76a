package pipelines

import "slices"

// scope is what processors can do in some part of a pipeline.
type scope struct {
	// moves: the engine may lose track of which message is which. splits: one message can become
	// several. shapes: bodies can stop being single JSON documents.
	moves, splits, shapes bool
	depth                 int
}

// unchanged returns a scope in which every message keeps its content and position.
func (s scope) unchanged() scope { return scope{depth: s.depth + 1} }

// children returns the scope of the children of a processor.
func (s scope) children() scope { return scope{moves: s.moves, depth: s.depth + 1} }

// processorKind makes processors of one kind: mostly one, or several that belong together.
type processorKind struct {
	name string
	// moves: an output message may lack the context of its source (the engine's
	// auto_observed.go gives it the context of the input message at the same index). splits: one
	// message becomes several, which share a context.
	moves, splits bool
	// shapes: the bodies after it are merged. merged: it also works on merged bodies.
	shapes, merged bool
	// nests: it has children.
	nests bool
	// fails: it leaves an error in a message until it is handed out again.
	fails bool
	make  func(g *generator, s scope) list
}

func (k processorKind) fits(g *generator, s scope) bool {
	switch {
	case k.moves && !s.moves,
		k.splits && !s.splits,
		k.shapes && !s.shapes,
		g.merged && !k.merged,
		k.nests && s.depth > 1,
		k.fails && g.strict && g.retriesForever:
		return false
	}
	return true
}

// allProcessors returns all kinds of processors. The first one is the simplest.
func allProcessors() []processorKind {
	return slices.Concat(
		plainProcessors(), documentProcessors(), nestingProcessors(), movingProcessors(), mergingProcessors(),
	)
}

// processors draws a list of at most `most` processors.
func (g *generator) processors(s scope, most, percent int) list {
	found := list{}
	g.d.items(most, percent, func() {
		var fitting []processorKind
		for _, m := range allProcessors() {
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

// children draws the children of a processor, at least one.
func (g *generator) children(s scope) list {
	found := g.processors(s, 2, 60)
	if len(found) == 0 {
		found = list{object{"noop": object{}}}
	}
	return found
}

// single returns a list of one processor.
func single(name string, config any) list { return list{object{name: config}} }

// fixed returns a function that always makes the same processor.
func fixed(name string, config any) func(*generator, scope) list {
	return func(*generator, scope) list { return single(name, config) }
}

// plainProcessors do not change messages, whatever their bodies.
func plainProcessors() []processorKind {
	return []processorKind{
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
			make:   func(g *generator, _ scope) list { return single("flaky", g.newFlaky()) },
		},
		{name: "flaky, catch", merged: true, fails: true, make: func(g *generator, s scope) list {
			return list{object{"flaky": g.newFlaky()}, object{"catch": g.children(s.unchanged())}}
		}},
		{name: "flaky in retry", merged: true, make: func(g *generator, s scope) list {
			return single("retry", object{
				"backoff":    object{"initial_interval": "1ms", "max_interval": "2ms"},
				"parallel":   g.d.chance(50),
				"processors": append(list{object{"flaky": g.newFlaky()}}, g.children(s.unchanged())...),
			})
		}},
	}
}

// newFlaky returns the configuration of the next flaky processor.
func (g *generator) newFlaky() object {
	g.flaky++
	g.fails = true
	name := "f" + number(g.flaky)
	g.flakyNames = append(g.flakyNames, name)
	return object{"run": runMark, "name": name}
}

// documentProcessors keep messages apart, and require JSON documents.
func documentProcessors() []processorKind {
	return []processorKind{
		{name: "mapping of documents", make: fixed("mapping", "root = this\nroot.mapped = true")},
		{name: "mutation of documents", make: fixed("mutation", `root.mutated = this.n.string()`)},
		{name: "bloblang", make: fixed("bloblang", "root = this\nroot.seen = batch_index()")},
		{name: "jq", make: fixed("jq", object{"query": ". + {jq: .n}"})},
		{name: "jmespath", make: fixed("jmespath", object{"query": "@"})},
		{name: "json_schema", make: fixed("json_schema", object{"schema": `{"type":"object","required":["id"]}`})},
		{name: "while", make: fixed("while", object{
			"max_loops":  5,
			"check":      "this.loops.or(0) < 2",
			"processors": single("mutation", "root.loops = this.loops.or(0) + 1"),
		})},
		{name: "workflow", make: fixed("workflow", object{"meta_path": "meta.workflow", "branches": object{
			"a": object{
				"request_map": "root = this.n",
				"processors":  single("mapping", "root = this"),
				"result_map":  "root.flow_a = this",
			},
			"b": object{
				"request_map": "root = this.flow_a",
				"processors":  single("noop", object{}),
				"result_map":  "root.flow_b = this",
			},
		}})},
		{name: "try_catch", make: fixed("try_catch", object{
			"processors": single("mapping", `root = if this.n % 5 == 2 { throw("caught") } else { this }`),
			"catch":      single("mutation", "root.caught = true"),
		})},
		{name: "cached", make: func(g *generator, s scope) list {
			g.caches++
			return single("cached", object{
				"cache":      "store",
				"key":        number(g.caches) + `-${! json("id") }`,
				"processors": single("mutation", "root.cached = true"),
			})
		}},
	}
}
