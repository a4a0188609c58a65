package main

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

// printed is the schema that `serin schema` prints, complete: it takes no property that it does not list.
func printed(t *testing.T, what string) *jsonschema.Schema {
	t.Helper()
	var out bytes.Buffer
	if code := run(t.Context(), []string{"schema", what}, Env{Stdout: &out, Stderr: &out}); code != exitOK {
		t.Fatal(out.String())
	}
	doc, err := jsonschema.UnmarshalJSON(&out)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if what == "events" {
		whole := doc.(map[string]any)
		whole["additionalProperties"] = false
		whole["$defs"].(map[string]any)["data"].(map[string]any)["additionalProperties"] = false
	}
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestWhatADaemonPublishesFitsTheSchemaOfEvents(t *testing.T) {
	schema := printed(t, "events")
	o := newOrderedWith(t, func(c *daemonConfig) { c.Structured = true })
	o.do("flags", "set", "checkout-version", "1.0.0")
	m := &nats.Msg{Subject: "serin.release.production.checkout", Data: []byte(`{"version":"1.1.0"}`),
		Header: nats.Header{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "tracestate": {"a=1"}}}
	if _, err := o.d.js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	o.until("checkout", func(r steps.Rollout) bool { return r.Phase == steps.Baking })
	o.do("pause", "checkout")
	o.do("abort", "checkout", "--reason", "<!channel>")
	o.until("checkout", func(r steps.Rollout) bool { return r.Phase == steps.Ended })
	// What a worker tells that follows from no entry.
	second := newOffers(o.d.js, o.d.offers.store, daemonConfig{NATS: o.d.cfg.NATS, Log: o.d.cfg.Log, Env: o.env, Structured: true}, prom.NewRegistry())
	second.stays(t.Context(), "other.yaml", deployments.Policy{Slot: deployments.Slot{Environment: "production", Service: "checkout"}, Hash: strings.Repeat("a", 64)})

	seen := map[string]bool{}
	enough := errors.New("enough")
	sub, err := o.d.js.Stream(t.Context(), "SERIN_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	err = jetstream.Events{JS: o.d.js}.Follow(t.Context(), jetstream.Filter{}, 0, func(seq uint64, e deployments.Event) error {
		if seq == 0 {
			return nil
		}
		raw, err := sub.GetMsg(t.Context(), seq)
		if err != nil {
			return err
		}
		if err := valid(t, schema, raw.Data); err != nil {
			t.Errorf("%s: %v\n%s", e.Name, err, raw.Data)
		}
		if e.Name != "policy.differs" && e.Trace.Parent != m.Header["traceparent"][0] {
			t.Errorf("%s has lost its trace", e.Name)
		}
		if seen[e.Name] = true; seen["rollout.restored"] && seen["policy.differs"] {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || len(seen) < 9 {
		t.Errorf("%v: only %v", err, slices.Sorted(maps.Keys(seen)))
	}
}

func TestTheSchemaOfReleasesTakesWhatTheIntakeTakes(t *testing.T) {
	schema := printed(t, "release")
	for name, body := range map[string]string{
		"smallest": `{"version":"1.4.2"}`,
		"whole": `{"service":"checkout","environment":"production","version":"1.4.2","id":"9","artifact":"pkg:oci/x@sha256:1","commit":"abc","ref":"refs/heads/main",
			"author":"Ana Šimić","run_url":"https://ci/1","change_url":"HTTP://git/2","team":{"b":1},"labels":["x"]}`,
		"null":               `{"version":"1.4.2","author":null,"service":null,"run_url":null}`,
		"empty":              `{"version":"1.4.2","author":"","service":"","run_url":""}`,
		"no version":         `{"service":"checkout"}`,
		"an empty version":   `{"version":""}`,
		"no text":            `{"version":1.4}`,
		"null version":       `{"version":null}`,
		"too long":           `{"version":"` + strings.Repeat("1", 129) + `"}`,
		"as long as allowed": `{"version":"` + strings.Repeat("1", 128) + `"}`,
		"control":            `{"version":"1\u001b[2J"}`,
		"a line":             `{"version":"1","author":"a\nb"}`,
		"c1":                 `{"version":"1","author":"a\u0085b"}`,
		"turned":             `{"version":"1","author":"\u202etest"}`,
		"isolated":           `{"version":"1","author":"\u2066test"}`,
		"separated":          `{"version":"1","ref":"\u2028test"}`,
		"zero width":         `{"version":"1","ref":"a\u200bb"}`,
		"script":             `{"version":"1","run_url":"javascript:alert(1)"}`,
		"no host":            `{"version":"1","run_url":"https:///x"}`,
		"no address":         `{"version":"1","change_url":"http://"}`,
		"a service's name":   `{"version":"1","service":"che.ckout"}`,
		"start_step":         `{"version":"1","start_step":3}`,
		"policy":             `{"version":"1","policy":null}`,
		"flag":               `{"version":"1","flag":"x"}`,
		"stable":             `{"version":"1","stable_version":"0"}`,
		"vars":               `{"version":"1","vars":{}}`,
		"a list":             `[]`,
		"text":               `"1.4.2"`,
	} {
		t.Run(name, func(t *testing.T) {
			_, refused := jetstream.DecodeRelease("serin.release.production.checkout", nil, []byte(body))
			if err := valid(t, schema, []byte(body)); (err == nil) != (refused == nil) {
				t.Errorf("the schema says %v, the intake %v", err, refused)
			}
		})
	}
}
