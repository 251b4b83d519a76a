package pipelines

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// token identifies a message wherever its body ends up: m0007; is message 7, m0007.1; its second
// piece.
type token string

var tokenPattern = regexp.MustCompile(`m\d{4}(?:\.\d)*;`)

func tokenOf(n int) token { return token(fmt.Sprintf("m%04d;", n)) }

// tokensIn returns the tokens of a body in order, merged or not.
func tokensIn(body []byte) []token {
	var found []token
	for _, match := range tokenPattern.FindAll(body, -1) {
		found = append(found, token(match))
	}
	return found
}

// number returns the number of the message.
func (t token) number() int {
	n, err := strconv.Atoi(string(t[1:5]))
	if err != nil {
		panic(err) // the pattern requires digits there
	}
	return n
}

// piece returns the token of a piece.
func (t token) piece(i int) token {
	return token(strings.TrimSuffix(string(t), ";") + "." + strconv.Itoa(i) + ";")
}

// lineage returns the token and the tokens that it is a piece of.
func (t token) lineage() []token {
	all := []token{t}
	for {
		name := strings.TrimSuffix(string(all[len(all)-1]), ";")
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return all
		}
		all = append(all, token(name[:dot]+";"))
	}
}

// pieces returns the tokens of a message that was split repeatedly into the given numbers of
// pieces.
func pieces(n int, factors []int) []token {
	all := []token{tokenOf(n)}
	for _, factor := range factors {
		var next []token
		for _, t := range all {
			for i := range factor {
				next = append(next, t.piece(i))
			}
		}
		all = next
	}
	return all
}

// numbersIn returns the numbers of the tokens, each once, in order.
func numbersIn(tokens []token) []int {
	var numbers []int
	for _, t := range tokens {
		if n := t.number(); !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
