package service_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/memprovider"

	"github.com/serin-cd/serin/internal/lab/service"
)

func TestAnOpenFeatureClientIsTheSwitch(t *testing.T) {
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.WithoutCancel(t.Context())) })
	canary := func(flag memprovider.InMemoryFlag, user openfeature.FlattenedContext) (any, openfeature.ProviderResolutionDetail) {
		if user[openfeature.TargetingKey] == "user-7" {
			return flag.Variants["1.1.0"], openfeature.ProviderResolutionDetail{Reason: openfeature.TargetingMatchReason}
		}
		return flag.Variants["1.0.0"], openfeature.ProviderResolutionDetail{Reason: openfeature.DefaultReason}
	}
	evaluate := memprovider.InMemoryFlag{
		Key: "shop", State: memprovider.Enabled, DefaultVariant: "1.0.0",
		Variants: map[string]any{"1.0.0": "1.0.0", "1.1.0": "1.1.0"}, ContextEvaluator: &canary,
	}
	provider := memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{"shop": evaluate})
	if err := api.SetProviderAndWait(t.Context(), provider); err != nil {
		t.Fatal(err)
	}
	which := service.AskFlag(api.NewClient(), "shop", "0.9.0")
	got := map[string]string{}
	for _, user := range []string{"user-7", "user-8", ""} {
		version, err := which(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		got[user] = version
	}
	if diff := cmp.Diff(map[string]string{"user-7": "1.1.0", "user-8": "1.0.0", "": "1.0.0"}, got); diff != "" {
		t.Error(diff)
	}
	if version, err := service.AskFlag(api.NewClient(), "absent", "0.9.0")(t.Context(), "user-7"); version != "0.9.0" || err == nil {
		t.Errorf("want the fallback and an error, got %q, %v", version, err)
	}
}
