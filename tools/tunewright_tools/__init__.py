"""What runs a configuration: tools know no study and no model. Importing this does nothing."""
