package eventschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// node is a part of a JSON Schema.
type node struct {
	Schema      string           `json:"$schema,omitempty"`
	ID          string           `json:"$id,omitempty"`
	Ref         string           `json:"$ref,omitempty"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Type        any              `json:"type,omitempty"` // a name, or several
	Const       string           `json:"const,omitempty"`
	Enum        []string         `json:"enum,omitempty"`
	Format      string           `json:"format,omitempty"`
	Pattern     string           `json:"pattern,omitempty"`
	MinLength   int              `json:"minLength,omitempty"`
	MaxLength   int              `json:"maxLength,omitempty"`
	Minimum     *float64         `json:"minimum,omitempty"`
	Maximum     *float64         `json:"maximum,omitempty"`
	Required    []string         `json:"required,omitempty"`
	Properties  map[string]*node `json:"properties,omitempty"`
	Additional  *node            `json:"additionalProperties,omitempty"`
	Items       *node            `json:"items,omitempty"`
	OneOf       []*node          `json:"oneOf,omitempty"`
	AllOf       []*node          `json:"allOf,omitempty"`
	If          *node            `json:"if,omitempty"`
	Then        *node            `json:"then,omitempty"`
	Not         *node            `json:"not,omitempty"`
	AnyOf       []*node          `json:"anyOf,omitempty"`
	Defs        map[string]*node `json:"$defs,omitempty"`
}

const (
	draft = "https://json-schema.org/draft/2020-12/schema"
	// base begins the $id of each document: where it is kept.
	base = "https://raw.githubusercontent.com/serin-cd/serin/main/deployments/eventschema/"
)

// text writes a schema in ASCII: its patterns have characters that turn the direction of writing.
func text(n *node) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(n); err != nil {
		panic(err) // it holds nothing but texts and numbers
	}
	var out []byte
	for _, r := range b.String() {
		if r < 0x7f {
			out = append(out, byte(r))
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// words are those of the types that have a closed list.
var words = map[reflect.Type][]string{
	reflect.TypeFor[steps.Phase]():          names(steps.Pending, steps.Shifting, steps.Baking, steps.AwaitingApproval, steps.Watching, steps.Reverting, steps.Recovering, steps.Ended),
	reflect.TypeFor[steps.Outcome]():        names(steps.Promoted, steps.Restored, steps.RestoreUnconfirmed, steps.NeverExposed),
	reflect.TypeFor[steps.Cause]():          names(steps.ByRules, steps.ByLostData, steps.ByHoldTimeout, steps.ByPerson, steps.BySuperseded, steps.NotReady),
	reflect.TypeFor[steps.ActionKind]():     names(steps.RollbackAction, steps.FlagOff, steps.PublishEvent),
	reflect.TypeFor[deployments.Severity](): names(deployments.Info, deployments.Warning, deployments.Page),
	reflect.TypeFor[analysis.Verdict](): {analysis.NoData.String(), analysis.Healthy.String(), analysis.Inconclusive.String(), analysis.Outage.String(),
		analysis.Unhealthy.String()},
}

func names[T ~string](all ...T) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = string(one)
	}
	return out
}

// schemaOf is the schema of a type as encoding/json writes it.
func schemaOf(t reflect.Type) *node {
	if list, ok := words[t]; ok {
		return &node{Type: "string", Enum: list}
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return &node{Type: "string", Format: "date-time"}
	case reflect.TypeFor[time.Duration]():
		return &node{Type: "integer", Description: "nanoseconds"}
	case reflect.TypeFor[deployments.Back]():
		return &node{Type: []string{"string", "null"}}
	case reflect.TypeFor[analysis.Number]():
		return &node{OneOf: []*node{{Type: "number"}, {Type: "string", Enum: []string{"NaN", "+Inf", "-Inf"}}}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Struct:
		n := &node{Type: "object", Properties: map[string]*node{}}
		n.fields(t)
		return n
	case reflect.Slice:
		return &node{Type: "array", Items: schemaOf(t.Elem())}
	case reflect.Map:
		return &node{Type: "object", Additional: schemaOf(t.Elem())}
	case reflect.Bool:
		return &node{Type: "boolean"}
	case reflect.Int, reflect.Uint64:
		return &node{Type: "integer", Minimum: new(float64)}
	case reflect.Float64:
		return &node{Type: "number"}
	default:
		return &node{Type: "string"}
	}
}

// fields adds the fields of a struct, those of embedded ones among them. What is never left out is required.
func (n *node) fields(t reflect.Type) {
	for f := range t.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "-" || !f.IsExported() {
			continue
		}
		if f.Anonymous && key == "" {
			n.fields(f.Type)
			continue
		}
		field := schemaOf(f.Type)
		if said, ok := descriptions[t.Name()+"."+key]; ok {
			field.Description = said
		}
		n.Properties[key] = field
		if !strings.Contains(options, "omit") {
			n.Required = append(n.Required, key)
		}
	}
}
