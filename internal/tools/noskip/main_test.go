package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
	unbuilt  = `{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:1: syntax error\n"}` + "\n" +
		`{"ImportPath":"p [p.test]","Action":"build-fail"}` + "\n" +
		`{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}` + "\n"
	start  = `{"Action":"start","Package":"p"}` + "\n"
	cached = `{"Action":"output","Package":"p","Output":"ok  \tp\t(cached)\n"}` + "\n"

	again = "\nWhat failed or was skipped:\n\n"
)

func TestRunFailsIfATestFailedOrWasSkipped(t *testing.T) {
	for name, c := range map[string]struct {
		in, out string
		code    int
	}{
		"all passed": {
			start + pass + passed + noTests,
			"run   p\nok    p  1.5s\n1 passed, 0 failed, 0 skipped in 0s\n", 0,
		},
		"cached": {pass + cached + passed, "ok    p  1.5s (cached)\n1 passed, 0 failed, 0 skipped in 0s\n", 0},
		"one skipped": {
			pass + skipText + skip + passed,
			"no redis\nok    p  1.5s\n" + again + "skip p TestB\nno redis\n\n1 passed, 0 failed, 1 skipped in 0s\n", 1,
		},
		"one failed": {
			pass + failText + fail + failed,
			"wrong\nFAIL  p  1.0s\n" + again +
				"fail p TestC\nwrong\n\n1 passed, 1 failed, 0 skipped in 0s\n", 1,
		},
		"the first of two runs failed": {
			start + failText + fail + failed + start + pass + passed,
			"run   p\nwrong\nFAIL  p  1.0s\nrun   p\nok    p  1.5s\n" + again +
				"fail p TestC\nwrong\n\n1 passed, 1 failed, 0 skipped in 0s\n", 1,
		},
		"both runs failed": {
			start + pass + fail + failed + start + panicked + failed,
			"run   p\nFAIL  p  1.0s\nrun   p\npanic: no\nFAIL  p  1.0s\n" + again +
				"fail p TestC\n\nfail p\npanic: no\n\n" +
				"1 passed, 2 failed, 0 skipped in 0s\n", 1,
		},
		"package panicked": {
			pass + failText + panicked + failed,
			"wrong\npanic: no\nFAIL  p  1.0s\n" + again +
				"fail p\npanic: no\nwrong\n\n1 passed, 1 failed, 0 skipped in 0s\n", 1,
		},
		"does not build": {
			pass + passed + unbuilt,
			"ok    p  1.5s\np.go:1: syntax error\nFAIL  p  0.0s\n" + again + "fail p\np.go:1: syntax error\n\n" +
				"1 passed, 1 failed, 0 skipped in 0s\n", 1,
		},
		"nothing ran": {noTests, "0 passed, 0 failed, 0 skipped in 0s\nno test ran\n", 1},
		"not JSON": {
			"go: updates to go.mod needed\n",
			"go: updates to go.mod needed\n0 passed, 0 failed, 0 skipped in 0s\nno test ran\n", 1,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			assert.Equal(t, c.code, run(strings.NewReader(c.in), &out, false), name)
			assert.Equal(t, c.out, out.String(), name)
		})
	}
}

func TestRepeatedOutputIsLimited(t *testing.T) {
	var out strings.Builder
	run(strings.NewReader(strings.Repeat(failText, mostRepeated+2)+fail+failed), &out, false)
	assert.Equal(t, 2*mostRepeated+2, strings.Count(out.String(), "wrong\n"))
	assert.Contains(t, out.String(), "wrong\n... and 2 more lines, see above\n")
}

// A run that printed nothing for six minutes once looked like a run that hangs.
func TestRunningTestsAreReportedInQuietTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, events := io.Pipe()
		var out strings.Builder
		code := make(chan int, 1)
		go func() { code <- run(in, &out, false) }() // ends with the pipe
		say := func(action, pkg, test string) {
			_, err := fmt.Fprintf(events, `{"Action":%q,"Package":%q,"Test":%q,"Elapsed":70}`+"\n", action, pkg, test)
			require.NoError(t, err)
		}
		time.Sleep(35 * time.Second)
		say("start", "p", "")
		for _, test := range []string{"TestA", "TestA/one", "TestB", "TestC", "TestD"} {
			say("run", "p", test)
		}
		say("pause", "p", "TestB")
		say("pass", "p", "TestD")
		say("start", "q", "")
		time.Sleep(35 * time.Second)
		say("pass", "p", "TestC")
		say("pass", "q", "")
		time.Sleep(35 * time.Second)
		say("pass", "p", "TestA/one")
		say("pass", "p", "TestA")
		say("pass", "p", "")
		require.NoError(t, events.Close())
		assert.Zero(t, <-code)
		assert.Equal(t, `      30s: building
run   p
run   q
      1m5s: p TestA/one (30s) and 1 more
      1m5s: q
ok    q  70.0s
      1m40s: p TestA/one (1m5s)
ok    p  70.0s
4 passed, 0 failed, 0 skipped in 1m45s
`, out.String())
	})
}
