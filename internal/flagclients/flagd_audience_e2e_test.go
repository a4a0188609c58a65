//go:build e2e

package flagclients

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
)

// variant is that of the user whom the context describes.
func (c inGo) variant(t *testing.T, ctx map[string]any) string {
	t.Helper()
	attributes := maps.Clone(ctx)
	key, _ := attributes[flags.TargetingKey].(string)
	delete(attributes, flags.TargetingKey)
	d, err := c.client.BooleanValueDetails(t.Context(), flagdFlag, true, of.NewEvaluationContext(key, attributes))
	if err != nil {
		t.Errorf("%v: %v", ctx, err)
	}
	return d.Variant
}

func (c onNode) variant(t *testing.T, ctx map[string]any) string {
	t.Helper()
	text, err := json.Marshal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c.in, "variant %s %s\n", flagdFlag, text)
	return c.line(t)
}

// What Serin writes for an audience means to flagd's own providers what it means to Serin.
func TestFlagdsProvidersGiveAnAudienceItsVariant(t *testing.T) {
	audience := flags.Audience{{"email": {"*@example.com", "ana@example.org"}}, {"region": {"eu", "us*"}, "device.kind": {"ios*"}}}
	contexts := append(audience.Contexts(), map[string]any{}, map[string]any{"email": 7}, map[string]any{"email": nil}, map[string]any{"email": []any{"ana@example.org"}},
		map[string]any{"email": map[string]any{"a": 1}}, map[string]any{"region": "eu", "device": "ios"})
	schema := flagdSchema(t)
	for name, open := range map[string]func(*testing.T, flagdSource) flagdClient{"node": newOnNode, "go": newInGo} {
		t.Run(name, func(t *testing.T) {
			s := fileSource(t)
			client := open(t, s)
			who := client.(interface {
				variant(t *testing.T, ctx map[string]any) string
			})
			for seq, share := range []int{0, 500} {
				change, err := flags.Apply(t.Context(), s.store, flagstest.Key, flags.Ramp{
					Fence: flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1, Seq: uint64(seq + 1)}, Share: share, Also: audience,
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := bySchema(schema, holding(string(change.After.Targeting()))); err != nil {
					t.Errorf("flagd's schema refuses %s: %v", change.After.Targeting(), err)
				}
				client.wait(t, s.key, s.value(change))
				for _, ctx := range contexts {
					if got, want := who.variant(t, ctx), change.Want().ForContext(flagdFlag, ctx); got != want {
						t.Errorf("at %d %v gets %s, want %s", share, ctx, got, want)
					}
				}
			}
		})
	}
}
