"""The full screen of `bacalhau-mesh top`: widgets, dialogs and the thread that reads the feed."""
