package openfeature_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
	"github.com/serin-cd/serin/flags/openfeature"
)

const (
	key     = flagstest.Key // in production
	flagKey = "shop.checkout"
)

func version(v string) string {
	return fmt.Sprintf(`{"state":"ENABLED","variants":{%q:%q},"defaultVariant":%q}`, v, v, v)
}

func user(name string) of.EvaluationContext { return of.NewEvaluationContext(name, nil) }

func TestApplicationSeesItsEnvironmentAndEveryChange(t *testing.T) {
	b := start(t)
	b.put(key, version("v1"))
	b.put("staging.shop.checkout", version("v9"))
	production := newApp(t).use(&openfeature.Provider{JetStream: b.js, Environment: "production"})
	staging := newApp(t).use(&openfeature.Provider{JetStream: b.js, Environment: "staging"})
	all := newApp(t).use(&openfeature.Provider{JetStream: b.js})
	production.awaitValue(flagKey, "v1")
	staging.awaitValue(flagKey, "v9")
	all.awaitValue(key, "v1")

	b.put(key, version("v2"))
	if d := cmp.Diff([]string{flagKey}, production.await(of.ProviderConfigChange).FlagChanges); d != "" {
		t.Error(d)
	}
	production.awaitValue(flagKey, "v2")
	staging.awaitValue(flagKey, "v9")
}

func TestUserIsInTheSameBucketUnderEveryProvider(t *testing.T) {
	b := start(t)
	b.put(key, flagstest.VersionFlag)
	b.edit(key, flags.Ramp{Fence: fence.At(1), Variant: "v2", Base: "v1", Share: 5000})
	production := newApp(t).use(&openfeature.Provider{JetStream: b.js, Environment: "production"})
	all := newApp(t).use(&openfeature.Provider{JetStream: b.js})
	for i := range 200 {
		u := fmt.Sprint("user-", i)
		want := "v1"
		if flags.Bucket(flagKey, u) < 5000 {
			want = "v2"
		}
		one, err := production.StringValue(t.Context(), flagKey, "", user(u))
		other, err2 := all.StringValue(t.Context(), key, "", user(u))
		if one != want || other != want || err != nil || err2 != nil {
			t.Fatalf("%s gets %s (%v) and %s (%v), want %s", u, one, err, other, err2, want)
		}
	}
}

func TestEveryTypeIsServedAndMismatchesAreErrors(t *testing.T) {
	b := start(t)
	b.put("p.bool", flagstest.FeatureFlag)
	b.put("p.text", version("v1"))
	b.put("p.number", `{"state":"ENABLED","variants":{"a":-7.9},"defaultVariant":"a","metadata":{"team":"shop","n":3}}`)
	b.put("p.huge", `{"state":"ENABLED","variants":{"a":1e300},"defaultVariant":"a"}`)
	b.put("p.object", `{"state":"ENABLED","variants":{"a":{"x":[1,{"y":2}]}},"defaultVariant":"a"}`)
	b.put("p.disabled", `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)
	b.put("p.open", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":null}`)
	a := newApp(t).use(&openfeature.Provider{JetStream: b.js, Environment: "p"})
	ctx, anyone := t.Context(), of.EvaluationContext{}

	if v, err := a.BooleanValue(ctx, "bool", true, anyone); v || err != nil {
		t.Errorf("bool: %v, %v", v, err)
	}
	if v, err := a.FloatValue(ctx, "number", 0, anyone); v != -7.9 || err != nil {
		t.Errorf("float: %v, %v", v, err)
	}
	n, err := a.IntValueDetails(ctx, "number", 0, anyone)
	if n.Value != -7 || err != nil || n.FlagMetadata["team"] != "shop" || n.FlagMetadata["n"] != int64(3) || n.FlagMetadata[openfeature.RevisionKey] != int64(3) {
		t.Errorf("int: %+v, %v", n, err)
	}
	for range 2 {
		v, err := a.ObjectValue(ctx, "object", nil, anyone)
		if d := cmp.Diff(map[string]any{"x": []any{1.0, map[string]any{"y": 2.0}}}, v); d != "" || err != nil {
			t.Fatal(d, err)
		}
		v.(map[string]any)["x"].([]any)[0] = "an application writes into its copy"
	}
	for _, flag := range []string{"disabled", "open"} {
		if d, err := a.BooleanValueDetails(ctx, flag, true, anyone); !d.Value || d.Variant != "" || err != nil {
			t.Errorf("%s: %+v, %v; want the caller's default", flag, d, err)
		}
	}
	b.put("p.lost", `{"state":"ENABLED","variants":{"a":"A"},"defaultVariant":"a","targeting":{"if":[true,"z"]}}`)
	b.put("p.odd", `{"state":"ENABLED","variants":{"a":"A"},"defaultVariant":"a","targeting":{"frobnicate":[]}}`)
	b.put("p.rule", `{"state":"ENABLED","variants":{"a":"A"},"defaultVariant":"a","targeting":{"if":[true,"a"]}}`)
	a.awaitValue("rule", "A")
	noJSON := of.NewEvaluationContext("u", map[string]any{"f": func() {}})
	for _, tt := range []struct {
		flag string
		ctx  of.EvaluationContext
		want of.ErrorCode
	}{{"lost", anyone, of.GeneralCode}, {"odd", anyone, of.ParseErrorCode}, {"rule", noJSON, of.InvalidContextCode}} {
		if d, err := a.StringValueDetails(ctx, tt.flag, "mine", tt.ctx); d.ErrorCode != tt.want || err == nil || d.Value != "mine" {
			t.Errorf("%s: %+v, %v; want %s", tt.flag, d, err, tt.want)
		}
	}
	for what, got := range map[string]func() (of.ErrorCode, error){
		"text as bool": func() (of.ErrorCode, error) {
			d, err := a.BooleanValueDetails(ctx, "text", true, anyone)
			return d.ErrorCode, err
		},
		"bool as text": func() (of.ErrorCode, error) {
			d, err := a.StringValueDetails(ctx, "bool", "", anyone)
			return d.ErrorCode, err
		},
		"text as object": func() (of.ErrorCode, error) {
			d, err := a.ObjectValueDetails(ctx, "text", nil, anyone)
			return d.ErrorCode, err
		},
		"huge as int": func() (of.ErrorCode, error) {
			d, err := a.IntValueDetails(ctx, "huge", 0, anyone)
			return d.ErrorCode, err
		},
	} {
		if code, err := got(); code != of.TypeMismatchCode || err == nil {
			t.Errorf("%s: %q, %v; want %s", what, code, err, of.TypeMismatchCode)
		}
	}
}

func TestGarbageSpoilsOneFlagOnly(t *testing.T) {
	b := start(t)
	b.put(key, "garbage")
	b.put("production.fine", version("v1"))
	a := newApp(t).use(&openfeature.Provider{JetStream: b.js, Environment: "production"})
	d, err := a.StringValueDetails(t.Context(), flagKey, "mine", of.EvaluationContext{})
	if d.ErrorCode != of.ParseErrorCode || d.Value != "mine" || err == nil {
		t.Errorf("%+v, %v; want %s and the default", d, err, of.ParseErrorCode)
	}
	a.awaitValue("fine", "v1")
	b.put(key, version("v2"))
	a.awaitValue(flagKey, "v2")
	b.put(key, "{}")
	a.await(of.ProviderConfigChange)
	a.awaitValue("fine", "v1")
}

func TestDeletedFlagIsNotFound(t *testing.T) {
	b := start(t)
	b.put(key, version("v1"))
	a := newApp(t).use(&openfeature.Provider{JetStream: b.js, Environment: "production"})
	for _, remove := range []func(context.Context, string, ...jetstream.KVDeleteOpt) error{b.store.kv.Delete, b.store.kv.Purge} {
		if err := remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		for {
			d, err := a.StringValueDetails(t.Context(), flagKey, "mine", of.EvaluationContext{})
			if err != nil && d.ErrorCode == of.FlagNotFoundCode && d.Value == "mine" {
				break
			}
			if d := cmp.Diff([]string{flagKey}, a.await(of.ProviderConfigChange).FlagChanges); d != "" {
				t.Error(d)
			}
		}
		b.put(key, version("v1"))
		a.awaitValue(flagKey, "v1")
	}
}

func TestShutdownDoesNotWaitForNATS(t *testing.T) {
	b := start(t)
	p := &openfeature.Provider{JetStream: b.js, Environment: "production"}
	a := newApp(t).use(p)
	b.down()
	a.await(of.ProviderStale)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := p.ShutdownWithContext(ctx); err != nil {
		t.Error(err)
	}
	b.up()
}

func TestStaleProviderServesOnAndIsReadyAgain(t *testing.T) {
	b := start(t)
	b.put(key, version("v1"))
	b.put("production.gone", version("v1"))
	a := newApp(t).use(&openfeature.Provider{JetStream: b.js, Environment: "production"})
	writer := natsWriter(t, b)

	b.down()
	a.await(of.ProviderStale)
	if a.State() != of.StaleState {
		t.Errorf("state is %s", a.State())
	}
	if v, err := a.StringValue(t.Context(), flagKey, "", of.EvaluationContext{}); v != "v1" || err != nil {
		t.Errorf("while stale: %q, %v", v, err)
	}

	b.up()
	a.await(of.ProviderReady)
	if a.State() != of.ReadyState {
		t.Errorf("state is %s", a.State())
	}
	writer(key, version("v2"))
	a.awaitValue(flagKey, "v2")
}

// natsWriter writes over a connection of its own, as soon as that is there again.
func natsWriter(t *testing.T, b *bench) func(key, definition string) {
	js := b.connect()
	return func(key, definition string) {
		t.Helper()
		kv, err := js.KeyValue(t.Context(), openfeature.DefaultBucket)
		for ; err != nil && t.Context().Err() == nil; kv, err = js.KeyValue(t.Context(), openfeature.DefaultBucket) {
			t.Logf("open bucket: %v", err)
		}
		if _, err := kv.Put(t.Context(), key, []byte(definition)); err != nil {
			t.Fatal(err)
		}
	}
}

// closing is a JetStream whose watches the test can end.
type closing struct {
	jetstream.JetStream
	watches chan jetstream.KeyWatcher
}

type closingKV struct {
	jetstream.KeyValue
	watches chan jetstream.KeyWatcher
}

func (c closing) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	kv, err := c.JetStream.KeyValue(ctx, bucket)
	return closingKV{kv, c.watches}, err
}

func (c closingKV) Watch(ctx context.Context, keys string, opts ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	w, err := c.KeyValue.Watch(ctx, keys, opts...)
	if err == nil {
		c.watches <- w
	}
	return w, err
}

func TestWatchThatEndsIsBegunAnewAndTellsWhatChangedMeanwhile(t *testing.T) {
	b := start(t)
	b.put(key, version("v1"))
	b.put("production.gone", version("v1"))
	b.put("production.same", version("v1"))
	watches := make(chan jetstream.KeyWatcher, 10)
	a := newApp(t).use(&openfeature.Provider{JetStream: closing{b.js, watches}, Environment: "production"})
	if err := (<-watches).Stop(); err != nil {
		t.Fatal(err)
	}
	a.await(of.ProviderStale)
	b.put(key, version("v2"))
	b.put("production.new", version("v1"))
	if err := b.store.kv.Delete(t.Context(), "production.gone"); err != nil {
		t.Fatal(err)
	}
	a.await(of.ProviderReady)
	var changed []string
	for len(changed) < 3 {
		changed = append(changed, a.await(of.ProviderConfigChange).FlagChanges...)
	}
	slices.Sort(changed)
	if d := cmp.Diff([]string{"gone", "new", flagKey}, changed); d != "" {
		t.Error(d)
	}
	a.awaitValue(flagKey, "v2")
}

func TestProviderThatStartsBeforeItsBucketRecovers(t *testing.T) {
	b := start(t)
	a := newApp(t)
	if err := a.api.SetProviderAndWait(t.Context(), &openfeature.Provider{JetStream: b.js, Environment: "production", Bucket: "later"}); err == nil {
		t.Fatal("the first try succeeds without a bucket")
	}
	a.await(of.ProviderError)
	if d, err := a.StringValueDetails(t.Context(), flagKey, "mine", of.EvaluationContext{}); d.ErrorCode != of.ProviderNotReadyCode || d.Value != "mine" {
		t.Errorf("%+v, %v", d, err)
	}
	kv, err := b.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "later"})
	if err != nil {
		t.Fatal(err)
	}
	b.store.kv = kv
	b.put(key, version("v1"))
	a.await(of.ProviderReady)
	a.awaitValue(flagKey, "v1")
}

func TestProviderMayServeTwoDomainsAndIsShutDownForGood(t *testing.T) {
	b := start(t)
	b.put(key, version("v1"))
	p := &openfeature.Provider{JetStream: b.js, Environment: "production"}
	for range 2 {
		if err := p.Init(of.EvaluationContext{}); err != nil {
			t.Fatal(err)
		}
	}
	if d := p.StringEvaluation(t.Context(), flagKey, "", nil); d.Value != "v1" {
		t.Errorf("%+v", d)
	}
	for range 2 {
		p.Shutdown()
		if d := p.StringEvaluation(t.Context(), flagKey, "", nil); d.ResolutionDetail().ErrorCode != of.ProviderNotReadyCode {
			t.Errorf("after shutdown: %+v", d)
		}
		if err := p.Init(of.EvaluationContext{}); err == nil {
			t.Error("initialised after shutdown")
		}
	}
}

func TestInitRefusesWhatIsNoEnvironment(t *testing.T) {
	for _, bad := range []string{"a.b", "*", ">", "a b"} {
		if err := (&openfeature.Provider{Environment: bad}).Init(of.EvaluationContext{}); err == nil {
			t.Errorf("environment %q is accepted", bad)
		}
	}
}

func TestChangesNobodyTakesAreMergedAndHoldNothingUp(t *testing.T) {
	b := start(t)
	p := &openfeature.Provider{JetStream: b.js, Environment: "production"}
	if err := p.Init(of.EvaluationContext{}); err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown()
	const count = 600 // more than any channel on the way holds
	want := map[string]bool{}
	for i := range count {
		name := fmt.Sprintf("f%d", i)
		b.put("production."+name, version("v1"))
		want[name] = true
	}
	for len(want) > 0 { // nobody has read an event until here
		for _, name := range (<-p.EventChannel()).FlagChanges {
			delete(want, name)
		}
	}
	if d := p.StringEvaluation(t.Context(), fmt.Sprintf("f%d", count-1), "", nil); d.Value != "v1" {
		t.Errorf("%+v", d)
	}
}

func BenchmarkProvider(b *testing.B) {
	s := start(b)
	s.put(key, flagstest.VersionFlag)
	s.edit(key, flags.Ramp{Fence: fence.At(1), Variant: "v2", Base: "v1", Share: 2500})
	p := &openfeature.Provider{JetStream: s.js, Environment: "production"}
	a := newApp(b).use(p)
	ctx, flat := b.Context(), of.FlattenedContext{"targetingKey": "user-4711"}
	b.Run("provider", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.StringEvaluation(ctx, flagKey, "", flat)
		}
	})
	b.Run("sdk", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = a.StringValue(ctx, flagKey, "", user("user-4711"))
		}
	})
}
