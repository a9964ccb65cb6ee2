"""`tunewright mcp`: the verbs, studies and plots for any agent that speaks the Model Context Protocol."""
