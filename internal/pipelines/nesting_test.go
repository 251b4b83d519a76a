package pipelines

// nestingProcessors contain processors. They do to contexts what their children do.
func nestingProcessors() []processorKind {
	nested := func(name string, wrap func(children list) any) processorKind {
		return processorKind{name: name, merged: true, nests: true, make: func(g *generator, s scope) list {
			return single(name, wrap(g.children(s.children())))
		}}
	}
	plain := func(children list) any { return children }
	return []processorKind{
		nested("for_each", plain),
		nested("try", plain),
		nested("parallel", func(children list) any { return object{"cap": 3, "processors": children} }),
		{name: "branch", merged: true, nests: true, make: func(g *generator, s scope) list {
			return single("branch", object{
				"request_map": "root = content()",
				"processors":  g.children(s.unchanged()),
				"result_map":  `meta branched = "yes"`,
			})
		}},
		{name: "switch", nests: true, make: func(g *generator, s scope) list {
			g.reorders = g.reorders || s.moves // messages with moved contexts are sorted by the contexts of others
			return single("switch", list{
				object{
					"check":       "this.n % 2 == 0",
					"processors":  g.children(s.children()),
					"fallthrough": g.d.chance(30),
				},
				object{"check": "this.n % 3 == 0", "processors": g.children(s.children())},
			})
		}},
		{name: "group_by", moves: true, nests: true, make: func(g *generator, s scope) list {
			g.reorders, g.batches = true, true
			return single("group_by", list{
				object{"check": "this.n % 2 == 0", "processors": g.children(s.children())},
				object{"check": "this.n % 3 == 0", "processors": g.children(s.children())},
			})
		}},
	}
}

// movingProcessors drop messages on purpose, or change their order or batches: the engine gives the
// remaining messages the contexts of others.
func movingProcessors() []processorKind {
	return []processorKind{
		{name: "mapping with deleted()", moves: true, make: func(g *generator, _ scope) list {
			return single("mapping", "root = if "+g.drop()+" { deleted() }")
		}},
		{name: "mutation with deleted()", moves: true, make: func(g *generator, _ scope) list {
			return single("mutation", "root = if "+g.drop()+" { deleted() }")
		}},
		{name: "bloblang with deleted()", moves: true, make: func(g *generator, _ scope) list {
			return single("bloblang", "root = if "+g.drop()+" { deleted() }")
		}},
		{name: "switch with deleted()", moves: true, make: func(g *generator, _ scope) list {
			return single(
				"switch",
				list{object{"check": g.drop(), "processors": single("mapping", "root = deleted()")}},
			)
		}},
		{name: "for_each with bounds_check", moves: true, make: func(g *generator, _ scope) list {
			g.plan.drops = append(g.plan.drops, isLarge)
			return single("for_each", single("bounds_check", object{"max_part_size": padding}))
		}},
		{name: "dedupe", moves: true, make: func(g *generator, _ scope) list {
			// Only noise has repeated keys: dedupe would also drop messages that it has seen and
			// the output refused then.
			g.plan.drops = append(g.plan.drops, isNoise)
			return single(
				"dedupe",
				object{"cache": "store", "key": `${! if json("noise").or(false) { "noise" } else { uuid_v4() } }`},
			)
		}},
		{name: "insert_part", moves: true, make: func(g *generator, _ scope) list {
			return single(
				"insert_part",
				object{"index": g.d.between(-1, 2), "content": `{"id":"","n":-1,"k":"","noise":false}`},
			)
		}},
		{name: "split", moves: true, merged: true, make: func(g *generator, _ scope) list {
			g.reorders, g.batches = true, true
			return single("split", object{"size": g.d.between(1, 10)})
		}},
		{name: "split by bytes", moves: true, merged: true, make: func(g *generator, _ scope) list {
			g.reorders, g.batches = true, true
			return single("split", object{"size": 0, "byte_size": g.d.between(1, 500)})
		}},
		{name: "group_by_value", moves: true, merged: true, make: func(g *generator, _ scope) list {
			g.reorders, g.batches = true, true
			return single(
				"group_by_value",
				object{"value": pick(g.d, "${! content().length() % 3 }", `${! @rafka_key.or("") }`)},
			)
		}},
		{name: "select_parts", moves: true, merged: true, make: func(g *generator, _ scope) list {
			g.reorders = true
			return single("select_parts", object{"parts": g.selection()})
		}},
	}
}

// drop draws which messages are dropped on purpose, and returns the query for them.
func (g *generator) drop() string {
	by := g.d.between(2, 7)
	rest := g.d.intN(by)
	g.plan.drops = append(g.plan.drops, func(n int) bool { return n%by == rest })
	return "this.n % " + number(by) + " == " + number(rest)
}

// maxSelected is more than the size of a batch.
const maxSelected = 200

// selection draws an order of all messages of a batch: reversed, or odd indexes first. The engine
// skips indexes that a batch does not have.
func (g *generator) selection() list {
	parts := list{}
	if g.d.chance(50) {
		for i := 1; i <= maxSelected; i++ {
			parts = append(parts, -i)
		}
		return parts
	}
	for _, first := range []int{1, 0} {
		for i := first; i < maxSelected; i += 2 {
			parts = append(parts, i)
		}
	}
	return parts
}

// mergingProcessors merge messages into one, or split one into several.
func mergingProcessors() []processorKind {
	both := func(format string) func(*generator, scope) list {
		return func(g *generator, _ scope) list {
			g.reorders = true
			return list{
				object{"archive": object{"format": format, "path": "${! uuid_v4() }"}},
				object{"unarchive": object{"format": format}},
			}
		}
	}
	return []processorKind{
		{name: "unarchive of lines", make: fixed("unarchive", object{"format": "lines"})},
		{name: "unarchive into pieces", splits: true, make: func(g *generator, _ scope) list {
			factor := g.d.between(2, 3)
			g.plan.factors = append(g.plan.factors, factor)
			g.reorders = true
			return inPieces(factor)
		}},
		{name: "archive, unarchive: lines", moves: true, make: both("lines")},
		{name: "archive, unarchive: json_array", moves: true, make: both("json_array")},
		{name: "archive, unarchive: binary", moves: true, make: both("binary")},
		{name: "archive, unarchive: tar", moves: true, make: both("tar")},
		{name: "archive, unarchive: zip", moves: true, make: both("zip")},
		{name: "sort by archive, mapping, unarchive", moves: true, make: func(g *generator, _ scope) list {
			g.reorders = true
			return list{
				object{"archive": object{"format": "json_array"}},
				object{"mapping": "root = this.sort_by(m -> 0 - m.n)"},
				object{"unarchive": object{"format": "json_array"}},
			}
		}},
		{name: "archive: lines", moves: true, shapes: true, make: fixed("archive", object{"format": "lines"})},
		{
			name:   "archive: json_array",
			moves:  true,
			shapes: true,
			make:   fixed("archive", object{"format": "json_array"}),
		},
		{
			name:   "archive: concatenate",
			moves:  true,
			shapes: true,
			make:   fixed("archive", object{"format": "concatenate"}),
		},
	}
}

// inPieces splits a message into pieces, each with its own token. The last one has the padding.
func inPieces(factor int) list {
	mapping := "root = ["
	for i := range factor {
		whole := "this"
		if i < factor-1 {
			whole = `this.without("pad")`
		}
		mapping += whole + `.assign({"id": this.id.replace_all(";", ".` + number(i) + `;")}), `
	}
	return list{object{"mapping": mapping + "]"}, object{"unarchive": object{"format": "json_array"}}}
}
