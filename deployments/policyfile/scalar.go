package policyfile

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// The scalars of a document hold the text that is written; what such a text may be is in its schema.
type (
	// Duration is a time in Prometheus' notation: 30s, 5m, 1h30m, 500ms.
	Duration string
	// Interval is a duration, or a cron line.
	Interval string
	// Number is a number, or a percentage: 5% is 0.05.
	Number string
	// Percent is a share: 5% is 0.05.
	Percent string
	// Weight is a share of traffic in percent: 5 and 5% are the same.
	Weight string
	// Count is a number of events, from 0 on.
	Count string
	// Whole is a whole number, from 1 on.
	Whole string
	// Bool is true or false.
	Bool bool
	// Text is any text; unquoted numbers and words are texts too.
	Text string
	// Name is 1 to 63 letters, digits, - and _.
	Name string
	// Query is PromQL with {{name}} variables.
	Query string
	// URL is an http or https URL.
	URL string
	// Money is an amount and its currency: 0.12 EUR.
	Money string
)

// MarshalYAML writes the number bare.
func (n Number) MarshalYAML() (any, error) { return bare(string(n)), nil }

// MarshalYAML writes the weight bare.
func (w Weight) MarshalYAML() (any, error) { return bare(string(w)), nil }

// MarshalYAML writes the count bare.
func (c Count) MarshalYAML() (any, error) { return bare(string(c)), nil }

// MarshalYAML writes the number bare.
func (w Whole) MarshalYAML() (any, error) { return bare(string(w)), nil }

// bare is a text that YAML writes without quotes.
func bare(text string) *yaml.Node {
	tag := "!!int"
	if strings.ContainsAny(text, ".eE") {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
}

func duration(d time.Duration) Duration { return Duration(model.Duration(d).String()) }

// unlessZero is a duration that is not written when it is 0.
func unlessZero(d time.Duration) Duration {
	if d == 0 {
		return ""
	}
	return duration(d)
}

// number is the shortest text that reads as n, without an exponent where there is no need of one.
func number(n float64) string {
	plain := strconv.FormatFloat(n, 'f', -1, 64)
	if len(plain) > 20 {
		return strconv.FormatFloat(n, 'g', -1, 64)
	}
	return plain
}

func optional(n *float64) Number {
	if n == nil {
		return ""
	}
	return Number(number(*n))
}

const (
	durationForm = `^` + anyDuration
	anyDuration  = `(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$`
	numberForm   = `^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*%?\s*$`
	countForm    = `^\s*\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$`
	nameForm     = `^[A-Za-z0-9_-]{1,63}$`
)

func (Duration) shape(n *node) {
	zero := 0.0
	n.Type = nil
	n.AnyOf = []*node{{Type: "string", Pattern: durationForm, MinLength: 1}, {Type: "integer", Minimum: &zero, Maximum: &zero}}
}

func (Interval) shape(n *node) { n.Type, n.MinLength = "string", 1 }

func (Number) shape(n *node) { n.Type, n.Pattern = []string{"number", "string"}, numberForm }

func (Percent) shape(n *node) {
	least, most := 0.0, 1.0
	n.Type, n.Pattern, n.ExclusiveMinimum, n.Maximum = []string{"string", "number"}, numberForm, &least, &most
}

func (Weight) shape(n *node) {
	least, most := 0.0, 100.0
	n.Type, n.Pattern, n.ExclusiveMinimum, n.Maximum = []string{"number", "string"}, numberForm, &least, &most
}

func (Count) shape(n *node) {
	least := 0.0
	n.Type, n.Pattern, n.Minimum = []string{"number", "string"}, countForm, &least
}

func (Whole) shape(n *node) {
	least, most := 1.0, 1000.0
	n.Type, n.Pattern, n.Minimum, n.Maximum = []string{"integer", "string"}, countForm, &least, &most
}

func (Bool) shape(n *node) {
	n.Type, n.Enum = []string{"boolean", "string"}, []any{true, false, "true", "false"}
}

func (Text) shape(n *node) { n.Type, n.Pattern = []string{"string", "number", "boolean"}, `\S` }

func (Name) shape(n *node) { n.Type, n.Pattern = []string{"string", "integer"}, nameForm }

func (Query) shape(n *node) { n.Type, n.Pattern = "string", `\S` }

func (Money) shape(n *node) { n.Type, n.Pattern = "string", `^[0-9]{1,9}(\.[0-9]{1,9})? +[A-Z]{3}$` }

func (URL) shape(n *node) { n.Type, n.Pattern = "string", `^https?://.` }
