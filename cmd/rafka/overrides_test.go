package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const topicTemplate = `
name: orders_of
type: input
fields:
  - name: region
    type: string
mapping: |
  root.rafka.url = env("RAFKA_URL")
  root.rafka.stream_name = "orders-" + this.region
  root.rafka.consumer_group = "billing"
`

// check applies templates and --set like `rafka run`.
func TestCheckTakesTemplatesAsRunDoes(t *testing.T) {
	t.Setenv("RAFKA_URL", redistest.Start(t).URL())
	template := writeFile(t, "orders_of.yaml", topicTemplate)
	path := writeFile(t, "rafka.yaml", "input:\n  orders_of: { region: eu }\noutput: { drop: {} }\n")
	o := rafka(t, "check", path)
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stderr, "orders_of")
	o = rafka(t, "check", path, "-t", template)
	assert.Zero(t, o.code, o.stderr)
	assert.Contains(t, o.stdout, "input: ok")
	o = rafka(
		t,
		"check",
		writeFile(t, "bad.yaml", "input:\n  orders_of: { regoin: eu }\noutput: { drop: {} }\n"),
		"--templates",
		template,
	)
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stderr, "regoin")
	fails(t, []string{"check", path, "-t", "/nowhere.yaml"}, "/nowhere.yaml")
	fails(t, []string{"check", path, "-t", path}, "template file "+path)
}

func TestCheckSetsFieldsAsRunDoes(t *testing.T) {
	url := redistest.Start(t).URL()
	path := writeFile(
		t,
		"rafka.yaml",
		"input:\n  label: source\n  rafka: { url: 'redis://127.0.0.1:1', consumer_group: g, batch_size: '5' }\n"+
			"output: { drop: {} }\n",
	)
	assert.Contains(t, rafka(t, "check", path).stderr, "batch_size")
	set := []string{
		"check",
		path,
		"-s",
		"input.rafka.url=" + url,
		"-s",
		"input.rafka.stream_name=orders",
		"-s",
		"input.rafka.batch_size=5",
		"-s",
		"input.rafka.dead_letter.stream_name=orders-dead",
	}
	o := rafka(t, set...)
	assert.Zero(t, o.code, o.stderr)
	assert.Contains(t, o.stdout, path+": source: ok\n"+path+": output: ok\n")

	for _, c := range []struct{ set, says string }{
		{"input.rafka.batch_size=0", "batch_size: is 0: set it to a whole number"},
		{"input.rafka.nope=1", "nope"},
		{"input.rafka.dead_letter.stream_name=orders", "dead_letter.stream_name: \"orders\" has the entries of orders"},
		{"input.rafka.dead_letter.max_deliveries=0", "dead_letter.max_deliveries: is 0"},
		{"input.rafka.url", "write path=value, such as input.rafka.stream_name=orders"},
		{"=1", "write path=value"},
		{"input.rafka.url=[", "input.rafka.url: the value is not valid YAML"},
	} {
		o := rafka(t, append(set, "-s", c.set)...)
		assert.Equal(t, 1, o.code, c.set)
		assert.Empty(t, o.stdout, c.set)
		assert.Contains(t, o.stderr, c.says, c.set)
	}
	unknown := writeFile(
		t,
		"unknown.yaml",
		"input:\n  generate: { mapping: root = 1, nope: 1 }\noutput: { drop: {} }\n",
	)
	assert.Contains(t, rafka(t, "check", unknown, "-s", "input.generate.count=1").stderr, "nope")
	secret := rafka(t, "check", path, "-s", "input.rafka.password", "-s", "input.rafka.url=redis://:Hunter2@h\t")
	assert.NotContains(t, secret.stdout+secret.stderr, "Hunter2")
}
