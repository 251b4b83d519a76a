package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOnlyARunThatPassedWithoutSkipsSucceeds(t *testing.T) {
	const (
		pass     = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
		passed   = `{"Action":"pass","Package":"p","Elapsed":1.5}` + "\n"
		noTests  = `{"Action":"skip","Package":"q"}` + "\n"
		skipText = `{"Action":"output","Package":"p","Test":"TestB","Output":"no redis\n"}` + "\n"
		skip     = `{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"
		failText = `{"Action":"output","Package":"p","Test":"TestC","Output":"wrong\n"}` + "\n"
		fail     = `{"Action":"fail","Package":"p","Test":"TestC"}` + "\n"
		failed   = `{"Action":"fail","Package":"p","Elapsed":1}` + "\n"
		panicked = `{"Action":"output","Package":"p","Output":"panic: no\n"}` + "\n"
		unbuilt  = `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}` + "\n" +
			`{"ImportPath":"p","Action":"build-fail"}` + "\n" + `{"Action":"fail","Package":"p","FailedBuild":"p"}` + "\n"
	)
	for name, c := range map[string]struct {
		in, out string
		code    int
	}{
		"all passed":       {pass + passed + noTests, "ok    p  1.5s\n1 passed, 0 failed, 0 skipped\n", 0},
		"one skipped":      {pass + skipText + skip + passed, "no redis\nok    p  1.5s\n1 passed, 0 failed, 1 skipped\n", 1},
		"one failed":       {pass + failText + fail + failed, "wrong\nFAIL  p  1.0s\n1 passed, 1 failed, 0 skipped\n", 1},
		"package panicked": {pass + failText + panicked + failed, "wrong\npanic: no\nFAIL  p  1.0s\n1 passed, 1 failed, 0 skipped\n", 1},
		"does not build":   {pass + passed + unbuilt, "ok    p  1.5s\np.go:1: syntax error\nFAIL  p  0.0s\n1 passed, 1 failed, 0 skipped\n", 1},
		"nothing ran":      {noTests, "0 passed, 0 failed, 0 skipped\nno test ran\n", 1},
		"not JSON":         {"go: updates to go.mod needed\n", "go: updates to go.mod needed\n0 passed, 0 failed, 0 skipped\nno test ran\n", 1},
	} {
		var out strings.Builder
		assert.Equal(t, c.code, run(strings.NewReader(c.in), &out, false), name)
		assert.Equal(t, c.out, out.String(), name)
	}
}
